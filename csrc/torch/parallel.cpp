#include "core/parallel.h"

#include <torch/csrc/stable/c/shim.h>

extern "C" void sonic_parallel_for(int64_t count, int64_t grain, sonic_range_fn work, void *context)
{
    if (count <= 0)
        return;
    // A pool that cannot start is no reason to lose the work: this thread does it alone.
    if (torch_parallel_for(0, count, grain > 0 ? grain : 1, work, context) != AOTI_TORCH_SUCCESS)
        work(0, count, context);
}

extern "C" int32_t sonic_parallel_threads(void)
{
    uint32_t threads = 1;
    return torch_get_num_threads(&threads) == AOTI_TORCH_SUCCESS && threads > 0 ? (int32_t)threads : 1;
}
