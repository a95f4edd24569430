/* parallel.h - parallel loops on libtorch's thread pool (implemented in torch/parallel.cpp). */
#ifndef SONIC_CORE_PARALLEL_H
#define SONIC_CORE_PARALLEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Work on [begin, end); must not call libtorch or Python, and must not fail. */
typedef void (*sonic_range_fn)(int64_t begin, int64_t end, void *context);

/* Splits [0, count) into ranges of at least `grain` and runs them on libtorch's threads; returns when all are done. In
 * a forked child, which has none of those threads, the calling thread does all of the work. */
void sonic_parallel_for(int64_t count, int64_t grain, sonic_range_fn work, void *context);

/* Threads that sonic_parallel_for may use; at least 1. */
int32_t sonic_parallel_threads(void);

#ifdef __cplusplus
}
#endif
#endif
