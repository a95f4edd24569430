/* copy_stream.h - a second queue of work on a device, for copies that run beside its operators.
 *
 *     sonic_copy_stream *stream = sonic_copy_stream_create(x);      NULL: the device has one queue
 *     sonic_copy_stream_enter(stream);                              this thread's operators go there
 *     sonic_event_hold(x, event);                                   after `event`, of the other queue
 *     ... queue copies ...
 *     copied = sonic_event_record(x);
 *     sonic_copy_stream_leave(stream);
 *     sonic_event_hold(x, copied);                                  what follows reads what was copied
 *
 * libtorch's stable interface has no streams: the binding provides those of torch.Stream. */
#ifndef SONIC_TORCH_COPY_STREAM_H
#define SONIC_TORCH_COPY_STREAM_H

#include "torch/event.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_copy_stream sonic_copy_stream;

typedef struct sonic_stream_functions {
    void *(*create)(int32_t device_index); /* NULL where the device has no further streams */
    /* What is current becomes *before, which leave takes back and frees. */
    sonic_status (*enter)(void *stream, void **before);
    sonic_status (*leave)(void *before);
    sonic_status (*hold)(int32_t device_index, sonic_event *event);
    void (*release)(void *stream);
} sonic_stream_functions;

/* Called once, while the extension is loaded. */
void sonic_streams_provide(const sonic_stream_functions *functions);

/* On x's device; NULL where x is in host memory, or the device has no further stream. */
sonic_copy_stream *sonic_copy_stream_create(const sonic_tensor *x);
/* NULL is accepted by all three, which then do nothing. SONIC_ERROR_TORCH when the device has failed; leave is called
 * after each enter that succeeded. */
sonic_status sonic_copy_stream_enter(sonic_copy_stream *stream);
sonic_status sonic_copy_stream_leave(sonic_copy_stream *stream);
void sonic_copy_stream_free(sonic_copy_stream *stream);

/* What is queued from now on in the current stream of x's device begins after `event`, a stream's of the same device;
 * the host goes on. Nothing for NULL. SONIC_ERROR_TORCH when the device has failed. */
sonic_status sonic_event_hold(const sonic_tensor *x, sonic_event *event);

#ifdef __cplusplus
}
#endif
#endif
