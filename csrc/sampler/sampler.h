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
 * A device is given work ahead of what it has done, two calls of the network at most: the host waits for events, never
 * for a copy, and what it reads of a step it looks at after the next one was queued (readout.h). */
#ifndef SONIC_SAMPLER_SAMPLER_H
#define SONIC_SAMPLER_SAMPLER_H

#include "models/unet/unet.h"
#include "sampler/shortcuts.h"

/* These limits keep memory bounded and values finite. The ranges that users can choose from are in
 * sonic_nodes/engines/settings.py. */
#define SONIC_SAMPLER_FRAMES_MAX (1 << 20) /* of a clip: 23 hours */
#define SONIC_SAMPLER_SCALE_MAX 100        /* magnitude of each scale and guidance */
#define SONIC_SAMPLER_FRAME_RATE_ID_MAX 1000

#define SONIC_LATENT_SCALE 0.18215 /* the network's latents are the autoencoder's times this */

typedef struct sonic_sampler_inputs {
    sonic_tensor *noise;         /* float32 [frames, 4, rows, columns], standard normal */
    sonic_tensor *image_latents; /* [1, 4, rows, columns], the mean of the autoencoder */
    sonic_tensor *buckets;       /* [frames, 2], motion buckets (motion_bucket.h) */
} sonic_sampler_inputs;

typedef struct sonic_sampler_settings {
    int32_t steps;              /* 1 to SONIC_SCHEDULE_STEPS_MAX */
    int64_t window;             /* frames of a window: SONIC_WINDOW_FRAMES (core/video_rates.h) as trained */
    int64_t shift;              /* frames by which windows move from step to step: 7 as published */
    double frame_rate_id;       /* the network's frame rate input: SONIC_LATENT_FPS as trained */
    double dynamic_scale;       /* factor on both motion buckets: 1 as trained */
    double motion_scale;        /* further factor on the second bucket: 1 as trained */
    double appearance_guidance; /* 2 as published */
    double audio_guidance;      /* 7.5 as published */
    int32_t branches_at_once;   /* 1 (least memory) to 3 */
    sonic_shortcuts shortcuts;  /* none: guidance at all levels, and reuse 1 */
} sonic_sampler_settings;

/* -> float32 [frames, 4, rows, columns] in the autoencoder's space, on the device of the noise. `constants`: of three
 * branches with image latents. SONIC_ERROR_CANCELLED when the progress callback cancels, SONIC_ERROR_FORMAT when
 * latents or motion buckets are not finite, SONIC_ERROR_SHAPE and SONIC_ERROR_ARGUMENT for inputs and settings that do
 * not fit. Layers for sonic_operator_probe: "latents.S" after step S, "direction.S.W" of window W, and the network's
 * own layers in its last call. */
sonic_tensor *sonic_sampler_run(sonic_scope *outer, sonic_operator_call *call, const sonic_unet *unet,
                                const sonic_unet_constants *constants, const sonic_sampler_inputs *inputs,
                                const sonic_sampler_settings *settings);

#endif
