/* parallel.h - parallel loops with as many threads as libtorch is set to use (implemented in torch/parallel.cpp). */
#ifndef SONIC_CORE_PARALLEL_H
#define SONIC_CORE_PARALLEL_H

#include "core/thread_pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sonic_thread_pool_run on sonic_parallel_threads() threads. */
void sonic_parallel_for(int64_t count, int64_t grain, sonic_range_fn work, void *context);

/* Threads that sonic_parallel_for may use, at least 1: torch.set_num_threads. 1 in a forked child, which has none of
 * this process's threads, unless it has called sonic_parallel_begin_process. */
int32_t sonic_parallel_threads(void);

/* For a child that was forked from a process which had loaded this binary, but run no loop and no operator: it lost no
 * threads, and may start its own. */
void sonic_parallel_begin_process(void);

#ifdef __cplusplus
}
#endif
#endif
