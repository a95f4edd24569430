/* progress.h - how a caller follows long work, and stops it.
 *
 * A watch belongs to the thread that began it and is asked by whatever that thread computes: before every operator of
 * torch/tensor.h (sonic_progress_poll), and by the loops that know how far they are (sonic_progress_report). Without a
 * watch both are the read of one thread-local pointer. Watches nest; only the innermost is asked.
 *
 * Once a watch has stopped the work it refuses every further operator of its thread, until it ends.
 */
#ifndef SONIC_CORE_PROGRESS_H
#define SONIC_CORE_PROGRESS_H

#include <stdbool.h>

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How far the work is: `done` of `total` units, 0 of 0 while nobody said. `preview`, an RGB picture of the result so
 * far, or NULL; it dies with the call. A return other than 0 stops the work. The function may compute: it is not asked
 * again meanwhile. */
typedef int (*sonic_progress_callback)(void *context, int64_t done, int64_t total, const sonic_image *preview);

typedef struct sonic_progress {
    sonic_progress_callback notify;
    void *context;
    int64_t interval_ms; /* operators ask at most this often; 0: every one of them asks */
    bool wants_preview;
    int64_t fail_at; /* for tests: this operator (1, 2, ...) fails as one without memory would; 0: none */
    /* The rest is watch.c's own, and 0 at the beginning. */
    struct sonic_progress *outer;
    int64_t done, total, operators, asked_ms;
    bool stopped, busy;
} sonic_progress;

void sonic_progress_begin(sonic_progress *watch); /* borrowed until it ends */
/* SONIC_ERROR_ARGUMENT when the calling thread has not begun it */
sonic_status sonic_progress_end(sonic_progress *watch);
sonic_progress *sonic_progress_current(void); /* the calling thread's innermost, or NULL */

/* SONIC_ERROR_CANCELLED: stop. */
sonic_status sonic_progress_poll(void);
sonic_status sonic_progress_report(int64_t done, int64_t total, const sonic_image *preview);

#ifdef __cplusplus
}
#endif
#endif
