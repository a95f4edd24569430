/* event.h - marks in a device's work, by which the host knows how far the device has come without waiting for all of
 * it.
 *
 *     sonic_event *event = sonic_event_record(x);   after the work on x's device that was queued so far
 *     ... queue more work ...
 *     sonic_event_wait(event);                      the progress callback can cancel meanwhile
 *     sonic_event_free(event);
 *
 * libtorch's stable interface has no events: the binding provides those of torch.Event. */
#ifndef SONIC_TORCH_EVENT_H
#define SONIC_TORCH_EVENT_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_event sonic_event;

typedef struct sonic_event_functions {
    /* After what is queued on the current stream of that device; NULL where the device has no events. */
    sonic_event *(*record)(int32_t device_index);
    /* *past: whether the device is past the event; with `wait`, up to a millisecond later. Fails with the device's
     * error.
     */
    sonic_status (*query)(sonic_event *event, bool wait, bool *past);
    void (*release)(sonic_event *event);
} sonic_event_functions;

/* Called once, while the extension is loaded. */
void sonic_events_provide(const sonic_event_functions *functions);

/* NULL where x is in host memory, whose operators have ended when they return, or there are no events. */
sonic_event *sonic_event_record(const sonic_tensor *x);
/* True for NULL. A failure of the device counts as past: sonic_event_wait reports it. */
bool sonic_event_is_past(sonic_event *event);
/* Returns at once for NULL. SONIC_ERROR_CANCELLED when the progress callback cancels, SONIC_ERROR_TORCH when the device
 * has failed. */
sonic_status sonic_event_wait(sonic_event *event);
void sonic_event_free(sonic_event *event); /* NULL is accepted */

/* x in pinned host memory, in float32 and contiguous, copied when the device gets there: read it after an event that is
 * recorded later. NULL, and the scope has not failed, where x is in host memory or nothing can be pinned. */
sonic_tensor *st_to_host_later(sonic_scope *scope, sonic_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
