/* sampler_types.h - what goes into the denoising loop: the network on its devices, a clip, and settings. */
#ifndef SONIC_SAMPLER_SAMPLER_TYPES_H
#define SONIC_SAMPLER_SAMPLER_TYPES_H

#include "models/unet/unet.h"
#include "sampler/shortcuts.h"

/* These limits keep memory bounded and values finite. The ranges that users can choose from are in
 * sonic_nodes/engines/settings.py. */
#define SONIC_SAMPLER_FRAMES_MAX (1 << 20) /* of a clip: 23 hours */
#define SONIC_SAMPLER_SCALE_MAX 100        /* magnitude of each scale and guidance */
#define SONIC_SAMPLER_FRAME_RATE_ID_MAX 1000

#define SONIC_LATENT_SCALE 0.18215 /* the network's latents are the autoencoder's times this */

/* The network on one of the devices that share its calls. */
typedef struct sonic_sampler_device {
    const sonic_unet *unet;
    const sonic_unet_constants *constants;
    sonic_tensor *like; /* a weight: where the network computes */
} sonic_sampler_device;

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

#endif
