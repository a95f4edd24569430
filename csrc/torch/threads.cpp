#include "torch/threads.h"

#include <torch/csrc/stable/c/shim.h> // torch_get_num_threads

#include "torch/optional.h"

namespace
{

struct Functions {
    int (*openmp_get)() = reinterpret_cast<int (*)()>(sonic_torch_symbol("omp_get_max_threads"));
    void (*openmp_set)(int) = reinterpret_cast<void (*)(int)>(sonic_torch_symbol("omp_set_num_threads"));
    // Returns the number before; 0 follows OpenMP. torch.set_num_threads sets it, too.
    int (*mkl_set)(int) = reinterpret_cast<int (*)(int)>(sonic_torch_symbol("MKL_Set_Num_Threads_Local"));
};

const Functions &functions()
{
    static const Functions found;
    return found;
}

} // namespace

sonic_torch_threads sonic_torch_threads_limit(int32_t threads)
{
    const Functions &f = functions();
    if (!f.openmp_get || !f.openmp_set || threads < 1)
        return {0, 0};
    uint32_t unused;
    torch_get_num_threads(&unused); // libtorch sets a new thread's number at the first call, over what is set before
    sonic_torch_threads before = {f.openmp_get(), f.mkl_set ? f.mkl_set(threads) : 0};
    f.openmp_set(threads);
    return before;
}

void sonic_torch_threads_restore(sonic_torch_threads before)
{
    const Functions &f = functions();
    if (before.openmp < 1)
        return;
    f.openmp_set(before.openmp);
    if (f.mkl_set)
        f.mkl_set(before.mkl);
}
