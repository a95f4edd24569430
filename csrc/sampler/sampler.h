/* sampler.h - the denoising loop: from noise to the latents of a clip.
 *
 * In every step the clip's frames are seen in windows (windows.h); each window is what the UNet sees at once, for the
 * branches of the guidance (guidance.h) one after another or together; an Euler step (schedule.h) moves the latents.
 * Latents, guidance and steps are float32 whatever the weights are. Everything is computed in the same order whatever
 * the device's load: the same numbers in, the same bits out.
 *
 * A watch (core/progress.h) is told before every call of the network how many are done, and once a step shows the
 * clip's middle frame. */
#ifndef SONIC_SAMPLER_SAMPLER_H
#define SONIC_SAMPLER_SAMPLER_H

#include "models/unet/unet.h"

#define SONIC_SAMPLE_FRAMES_MAX (1 << 20) /* 23 hours */
#define SONIC_LATENT_SCALE 0.18215        /* from the autoencoder's latents to the network's */

typedef struct sonic_sample_inputs {
    sonic_tensor *noise;         /* float32 [frames, 4, rows, columns], standard normal */
    sonic_tensor *image_latents; /* [1, 4, rows, columns], the mean of the autoencoder */
    sonic_tensor *buckets;       /* [frames, 2], motion buckets */
} sonic_sample_inputs;

typedef struct sonic_sample_settings {
    int32_t steps;
    int64_t window, shift;      /* frames of a window, 25; by how many the windows move from step to step, 7 */
    double frame_rate_id;       /* what the network is told, 12.5 */
    double dynamic_scale;       /* of both motion buckets, 1 as trained */
    double motion_scale;        /* of the second once more, 1 as trained */
    double appearance_guidance; /* 2 */
    double audio_guidance;      /* 7.5 */
    int32_t branches_at_once;   /* 1: least memory, to 3 */
} sonic_sample_settings;

/* -> float32 [frames, 4, rows, columns] in the autoencoder's space, where the noise is. `constants` are those of three
 * branches with image latents. SONIC_ERROR_CANCELLED when a watch says so, SONIC_ERROR_FORMAT when the latents stop
 * being finite. Layers that can be probed: "latents.S" after step S, "direction.S.W" of window W, and the network's
 * own, of its last call. */
sonic_tensor *sonic_sample_run(sonic_scope *outer, sonic_operator_call *call, const sonic_unet *unet,
                               const sonic_unet_constants *constants, const sonic_sample_inputs *inputs,
                               const sonic_sample_settings *settings);

#endif
