/* readout.h - what the host reads of a step: whether its latents are finite, and the middle frame for a preview.
 *
 * A device goes on computing meanwhile: what is read of a step is copied when the device gets there, and looked at
 * after the next step was queued. */
#ifndef SONIC_SAMPLER_READOUT_H
#define SONIC_SAMPLER_READOUT_H

#include "torch/event.h"

/* Queued reads of one step. */
typedef struct sonic_readout {
    sonic_tensor *host; /* float32 in pinned memory: the largest and smallest latent, then the middle frame; or NULL */
    sonic_event *event;
    bool has_frame, is_queued;
    int32_t step;
} sonic_readout;

/* Queues the copies for `latents` and for `frame` [1, 4, rows, columns] or NULL, which is taken. What they need belongs
 * to `scope`, which must outlive the readout. */
void sonic_readout_start(sonic_readout *readout, sonic_scope *scope, sonic_tensor *latents, sonic_tensor *frame,
                         int32_t step);

/* Waits for the device: then *is_finite and, if there was a frame, pixels [count] are those of the step, and the
 * readout is empty. Fails as sonic_event_wait does. */
sonic_status sonic_readout_finish(sonic_readout *readout, bool *is_finite, float *pixels, int64_t count);

void sonic_readout_drop(sonic_readout *readout);

#endif
