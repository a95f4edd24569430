#include "core/parallel.h"

#include <torch/csrc/stable/c/shim.h> // torch_parallel_for, torch_get_num_threads

#if !defined(_WIN32)
#include <unistd.h> // getpid
#endif

namespace
{

// A forked child has none of this process's threads: a parallel region of OpenMP would wait for them forever.
#if defined(_WIN32)
bool forked() { return false; }
#else
const pid_t loaded_in = getpid();

bool forked() { return getpid() != loaded_in; }
#endif

} // namespace

extern "C" void sonic_parallel_for(int64_t count, int64_t grain, sonic_range_fn work, void *context)
{
    if (count <= 0)
        return;
    // If the pool cannot start, this thread does all of the work.
    if (forked() || torch_parallel_for(0, count, grain > 0 ? grain : 1, work, context) != AOTI_TORCH_SUCCESS)
        work(0, count, context);
}

extern "C" int32_t sonic_parallel_threads(void)
{
    uint32_t threads = 1;
    return !forked() && torch_get_num_threads(&threads) == AOTI_TORCH_SUCCESS && threads > 0 ? (int32_t)threads : 1;
}
