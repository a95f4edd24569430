/* unet_types.h - what goes into the UNet: its conditions, the constants of a run, and one step. */
#ifndef SONIC_MODELS_UNET_UNET_TYPES_H
#define SONIC_MODELS_UNET_UNET_TYPES_H

#include "models/layers.h"

/* Bounds of the arrays that are sized at compile time, and of the latents: they keep memory bounded. */
enum {
    SONIC_UNET_BRANCHES_MAX = 8,
    SONIC_UNET_FRAMES_MAX = 1024,  /* of one window */
    SONIC_UNET_SIDE_MAX = 1 << 12, /* rows or columns of the latents */
    /* Frame rate, motion bucket, and a second motion bucket in the place of SVD's noise augmentation */
    SONIC_UNET_IDS = 3
};

typedef struct sonic_unet sonic_unet;

/* The conditions of a whole run. Tensors [1 or frames, ...]: one for all frames of the clip, or one for each. */
typedef struct sonic_unet_conditions {
    int32_t branches;
    sonic_tensor *image[SONIC_UNET_BRANCHES_MAX]; /* [1 or frames, 1, context] */
    sonic_tensor *audio[SONIC_UNET_BRANCHES_MAX]; /* [1 or frames, audio tokens, context] */
    /* [4, rows, columns] each, or all NULL: then each step's sample has 8 channels */
    sonic_tensor *image_latents[SONIC_UNET_BRANCHES_MAX];
    /* [..., image rows, image columns], float32 in host memory */
    sonic_tensor *face_mask;
    /* Of the latents: multiples of 2 to the power of (levels - 1), up to SONIC_UNET_SIDE_MAX */
    int64_t rows, columns;
    int64_t window;     /* the most frames of a window, 1 to SONIC_UNET_FRAMES_MAX */
    double audio_scale; /* factor on audio attention: 1 as trained, 0 disables it */
} sonic_unet_conditions;

/* What stays the same in every step and window. `sum` is the sum of the attention layers' channels: each layer has its
 * own columns. */
typedef struct sonic_unet_constants {
    /* Int64 on the host [branches, 4]: first row and rows in audio, first row and rows in image_* */
    sonic_tensor *layout;
    /* [rows, audio tokens, context] on the device of the conditions, in the dtype of the weights: the one constant that
     * grows with the clip. Keys and values are projected for each window, about 1 operation in 2000. */
    sonic_tensor *audio;
    sonic_tensor *audio_scale; /* float32 on the host [1] */
    /* [rows, sum]: to_out(to_v(image)) with its bias. Attention to a single token is its value, whatever the query. */
    sonic_tensor *image_spatial;
    sonic_tensor *image_temporal;
    sonic_tensor *positions; /* [window, sum]: time_pos_embed */
    sonic_tensor *masks;     /* [tokens of level 0, then of level 1, ...] */
    /* Int64 on the host [levels, 4]: first row, rows, first column, columns; the mask is 0 outside */
    sonic_tensor *rectangles;
    /* Float32 on the host: weight of the temporal part of every res block, then of every transformer, in order of use
     */
    sonic_tensor *mixes;
    /* [branches, channels, rows, columns]: conv_in of the image latents and its bias; or NULL */
    sonic_tensor *latents;
} sonic_unet_constants;

/* Options of a step, for tests: the first two leave out an exact optimisation each. */
enum {
    SONIC_UNET_UNFOLDED = 1,   /* never fold queries and outputs of audio attention into keys and values */
    SONIC_UNET_WHOLE_MASK = 2, /* compute audio attention outside the mask's rectangle too */
    SONIC_UNET_GIVE_DEEP = 4   /* the operator unet_step also returns the features before the last layer */
};

typedef struct sonic_unet_step {
    /* [branches, frames, 8, rows, columns], or with constants->latents [frames, 4, rows, columns]; already scaled */
    sonic_tensor *sample;
    const int64_t *frames; /* [frame_count]: which frames of the clip the window holds */
    int32_t frame_count;
    double timestep; /* ln(sigma) / 4 */
    double ids[SONIC_UNET_IDS];
    int32_t first_branch, branches; /* computed in this call; fewer at a time take less memory */
    unsigned options;
    /* What enters the network's last layer, [branches, frames, tokens, channels]: then that layer alone is computed,
     * with the sample's skip connection. Or NULL. */
    sonic_tensor *deep;
    /* Receives those features, which belong to the caller's scope; or NULL */
    sonic_tensor **deep_out;
} sonic_unet_step;

#endif
