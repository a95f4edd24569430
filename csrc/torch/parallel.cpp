#include "core/parallel.h"

#include <torch/csrc/stable/c/shim.h>

#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace
{

// A forked child has this process's memory and none of its threads: a parallel region of OpenMP would wait for them for
// ever.
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
    // A pool that cannot start is no reason to lose the work: this thread does it alone.
    if (forked() || torch_parallel_for(0, count, grain > 0 ? grain : 1, work, context) != AOTI_TORCH_SUCCESS)
        work(0, count, context);
}

extern "C" int32_t sonic_parallel_threads(void)
{
    uint32_t threads = 1;
    return !forked() && torch_get_num_threads(&threads) == AOTI_TORCH_SUCCESS && threads > 0 ? (int32_t)threads : 1;
}
