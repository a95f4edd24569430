/* Parallel loops on the calling thread: fuzz targets are built without libtorch. */
#include "core/parallel.h"

void sonic_parallel_for(int64_t count, int64_t grain, sonic_range_fn work, void *context)
{
    (void)grain;
    if (count > 0)
        work(0, count, context);
}

int32_t sonic_parallel_threads(void) { return 1; }
