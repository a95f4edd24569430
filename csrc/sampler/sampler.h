/* sampler.h - the denoising loop: from noise to the latents of a clip.
 *
 * Every step processes the clip in windows (windows.h). The UNet computes the branches of the guidance (guidance.h) for
 * each window, together or one after another; then an Euler step (schedule.h) updates the latents. Latents, guidance
 * and steps are float32 whatever the dtype of the weights. The order of computation is fixed: equal inputs give equal
 * bits on the same device.
 *
 * The progress callback (core/progress.h) gets the number of finished calls of the network before each of them, and
 * once a step a preview of the clip's middle frame. It can cancel the run.
 *
 * A device is given work ahead of what it has done, two calls of the network at most (calls.h): the host waits for
 * events, never for a copy, and what it reads of a step it looks at after the next one was queued (readout.h).
 *
 * Several devices share the calls of a step (sharing.h). Noise, latents and deep features are on the first; each call's
 * sample is copied to its device, and its result back, where results are added in the order of the windows. So devices
 * of one kind give the bits that one of them gives. */
#ifndef SONIC_SAMPLER_SAMPLER_H
#define SONIC_SAMPLER_SAMPLER_H

#include "sampler/sampler_types.h"

/* -> float32 [frames, 4, rows, columns] in the autoencoder's space, on the device of the noise. devices: 1 to
 * SONIC_DEVICES_MAX copies of one network, whose constants are of three branches with image latents.
 * SONIC_ERROR_CANCELLED when the progress callback cancels, SONIC_ERROR_FORMAT when latents or motion buckets are not
 * finite, SONIC_ERROR_SHAPE and SONIC_ERROR_ARGUMENT for inputs and settings that do not fit; where several devices
 * share the work, failures of one end with its number. Layers for sonic_operator_probe: "latents.S" after step S,
 * "direction.S.W" of window W, and the network's own layers in its last call. */
sonic_tensor *sonic_sampler_run(sonic_scope *outer, sonic_operator_call *call, const sonic_sampler_device *devices,
                                int32_t device_count, const sonic_sampler_inputs *inputs,
                                const sonic_sampler_settings *settings);

#endif
