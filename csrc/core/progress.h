/* progress.h - how a caller follows long work, and cancels it.
 *
 * A progress handle belongs to the thread that began it, and is notified by what that thread computes: before every
 * operator of torch/tensor.h (sonic_progress_poll), and by loops that know how far they are (sonic_progress_report).
 * Without a handle both only read one thread-local pointer. Handles nest; only the innermost is notified.
 *
 * After the callback has cancelled, every further operator of its thread fails until the handle ends. */
#ifndef SONIC_CORE_PROGRESS_H
#define SONIC_CORE_PROGRESS_H

#include <stdbool.h>

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `done` of `total` units of work, 0 of 0 before the first report. `preview`: an RGB image of the result so far, valid
 * during the call, or NULL. A return other than 0 cancels the work. The function may compute; it is not called again
 * meanwhile. */
typedef int (*sonic_progress_callback)(void *context, int64_t done, int64_t total, const sonic_image *preview);

typedef struct sonic_progress {
    sonic_progress_callback notify;
    void *context;
    int64_t interval_ms; /* operators notify at most this often; 0: every one */
    bool wants_preview;
    int64_t fail_at; /* for tests: this operator (1, 2, ...) fails as if out of memory; 0: none */
    /* Private to progress.c; 0 before sonic_progress_begin. */
    struct sonic_progress *outer;
    int64_t done, total, operators, notified_ms;
    bool cancelled, busy;
} sonic_progress;

void sonic_progress_begin(sonic_progress *progress); /* borrowed until sonic_progress_end */
/* SONIC_ERROR_ARGUMENT when the calling thread has not begun it */
sonic_status sonic_progress_end(sonic_progress *progress);
sonic_progress *sonic_progress_current(void); /* the calling thread's innermost, or NULL */

/* SONIC_ERROR_CANCELLED: return at once. */
sonic_status sonic_progress_poll(void);
/* In a loop over items that take well under a microsecond each: polls at one item in 16384. */
static inline sonic_status sonic_progress_poll_item(int64_t item)
{
    return item & 16383 ? SONIC_OK : sonic_progress_poll();
}
sonic_status sonic_progress_report(int64_t done, int64_t total, const sonic_image *preview);

#ifdef __cplusplus
}
#endif
#endif
