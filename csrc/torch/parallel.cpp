#include "core/parallel.h"

#include <torch/csrc/stable/c/shim.h> // torch_get_num_threads

#if !defined(_WIN32)
#include <unistd.h> // getpid
#endif

namespace
{

// A forked child has none of this process's threads: it would wait for them forever.
#if defined(_WIN32)
bool forked() { return false; }
void begin_process() {}
#else
pid_t began_in = getpid();

bool forked() { return getpid() != began_in; }
void begin_process() { began_in = getpid(); }
#endif

} // namespace

void sonic_parallel_for(int64_t count, int64_t grain, sonic_range_fn work, void *context)
{
    sonic_thread_pool_run(count, grain, sonic_parallel_threads(), work, context);
}

int32_t sonic_parallel_threads(void)
{
    uint32_t threads = 1;
    return !forked() && torch_get_num_threads(&threads) == AOTI_TORCH_SUCCESS && threads > 0 ? (int32_t)threads : 1;
}

void sonic_parallel_begin_process(void) { begin_process(); }
