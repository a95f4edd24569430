#include "torch/threads.h"

#include <torch/csrc/stable/c/shim.h> // torch_get_num_threads

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace
{

// A function of the OpenMP or MKL library that libtorch uses: a process may hold several.
#if defined(_WIN32)
void *torch_symbol(const char *name)
{
    for (const char *library : {"libiomp5md.dll", "torch_cpu.dll"}) {
        HMODULE module = GetModuleHandleA(library);
        FARPROC found = module ? GetProcAddress(module, name) : nullptr;
        if (found)
            return reinterpret_cast<void *>(found);
    }
    return nullptr;
}
#else
void *torch_symbol(const char *name)
{
    Dl_info torch;
    if (!dladdr(reinterpret_cast<void *>(&torch_get_num_threads), &torch) || !torch.dli_fname)
        return nullptr;
    void *library = dlopen(torch.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library)
        return nullptr;
    void *symbol = dlsym(library, name); // looks in the libraries that libtorch needs, too
    dlclose(library);
    return symbol;
}
#endif

struct Functions {
    int (*openmp_get)() = reinterpret_cast<int (*)()>(torch_symbol("omp_get_max_threads"));
    void (*openmp_set)(int) = reinterpret_cast<void (*)(int)>(torch_symbol("omp_set_num_threads"));
    // Returns the number before; 0 follows OpenMP. torch.set_num_threads sets it, too.
    int (*mkl_set)(int) = reinterpret_cast<int (*)(int)>(torch_symbol("MKL_Set_Num_Threads_Local"));
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
