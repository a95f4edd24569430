/* thread_pool.h - loops on threads that sleep while they wait. */
#ifndef SONIC_CORE_THREAD_POOL_H
#define SONIC_CORE_THREAD_POOL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Work on [begin, end); must not call libtorch or Python, and must not fail. */
typedef void (*sonic_range_fn)(int64_t begin, int64_t end, void *context);

/* Splits [0, count) into ranges of at least `grain` (the last may be shorter) and returns when all are done. The
 * calling thread takes ranges in order, and threads of the pool join as they wake up; a loop of one range, or inside
 * another loop, runs on the calling thread alone. `threads` limits how many take part, the caller included: below 2,
 * the caller alone, and no thread is started. Where the system refuses a thread, the others do its work. */
void sonic_thread_pool_run(int64_t count, int64_t grain, int32_t threads, sonic_range_fn work, void *context);

#ifdef __cplusplus
}
#endif
#endif
