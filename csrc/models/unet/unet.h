/* unet.h - the spatio-temporal UNet of Stable Video Diffusion (Blattmann et al., 2023) with Sonic's audio
 * cross-attention (Ji et al., "Sonic: Shifting Focus to Global Audio Perception in Portrait Animation", CVPR 2025).
 * Names as in unet.pth.
 *
 * A run does three things:
 *
 *     sonic_unet_create     reads the network's sizes off the shapes of its weights
 *     sonic_unet_prepare    computes once what does not change from step to step (sonic_unet_constants)
 *     sonic_unet_run        one window of frames at one noise level, for some or all branches of the guidance
 *
 * A branch is one choice of conditions: without image and sound, with the image alone, with both. Activations are kept
 * as [branches, frames, tokens, channels], tokens in rows of the picture: images [.., channels, rows, columns] and
 * sequences over frames are views of that, so that nothing is copied between spatial and temporal layers.
 */
#ifndef SONIC_MODELS_UNET_UNET_H
#define SONIC_MODELS_UNET_UNET_H

#include "models/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SONIC_UNET_BRANCHES_MAX 8
#define SONIC_UNET_FRAMES_MAX 1024 /* of one window */
#define SONIC_UNET_IDS                                                                                                 \
    3 /* frame rate, motion bucket, and the second bucket, which takes the place of SVD's noise augmentation */

typedef struct sonic_unet sonic_unet;

/* `prefix` is put before the names in unet.pth, normally "". The handle borrows the call's weights. */
sonic_status sonic_unet_create(sonic_unet **out, sonic_operator_call *call, const char *prefix, int64_t head_dim);
void sonic_unet_free(sonic_unet *unet);

/* The conditions of a whole run. Tensors [1 or frames, ...]: one for all frames of the clip, or one for each. */
typedef struct sonic_unet_conditions {
    int32_t branches;
    sonic_tensor *image[SONIC_UNET_BRANCHES_MAX]; /* [1 or frames, 1, context] */
    sonic_tensor *audio[SONIC_UNET_BRANCHES_MAX]; /* [1 or frames, audio tokens, context] */
    /* [4, rows, columns] each, or all NULL: then each step's sample has 8 channels */
    sonic_tensor *image_latents[SONIC_UNET_BRANCHES_MAX];
    /* [..., picture rows, picture columns], float32 in host memory */
    sonic_tensor *face_mask;
    /* Of the latents: multiples of 2 to the power of (levels - 1) */
    int64_t rows, columns;
    int64_t window;     /* frames of a window, at most */
    double audio_scale; /* how strongly sound acts: 1 as trained, 0 not at all */
} sonic_unet_conditions;

/* What stays the same in every step and window. `sum` is the sum of the attention layers' channels: each layer has its
 * own columns. */
typedef struct sonic_unet_constants {
    /* Int64 on the host [branches, 4]: first row and rows in audio, first row and rows in image_* */
    sonic_tensor *layout;
    sonic_tensor
        *audio; /* [rows, audio tokens, context] where they were given, in the dtype of the weights: the one constant
                   that grows with the clip. Each window projects its own, which is 1 operation in 2000 */
    sonic_tensor *audio_scale; /* float32 on the host [1] */
    /* [rows, sum]: attention to the one image token is its value, whatever the query: a vector, with to_out's bias */
    sonic_tensor *image_spatial;
    sonic_tensor *image_temporal;
    sonic_tensor *positions; /* [window, sum]: time_pos_embed */
    sonic_tensor *masks;     /* [tokens of level 0, then of level 1, ...] */
    /* Int64 on the host [levels, 4]: first row, rows, first column, columns: the mask is 0 outside */
    sonic_tensor *rectangles;
    /* on the host: weight of the temporal part, of every res block and then of every transformer, in order of use */
    sonic_tensor *mixes;
    /* [branches, channels, rows, columns]: conv_in of the image latents and its bias; or NULL */
    sonic_tensor *latents;
} sonic_unet_constants;

/* Calls `visit` with each constant's name and place: how they cross an operator's list of tensors. */
void sonic_unet_constants_each(sonic_unet_constants *constants,
                               void (*visit)(void *context, const char *name, sonic_tensor **tensor), void *context);

sonic_status sonic_unet_prepare(sonic_unet_constants *out, sonic_scope *outer, const sonic_unet *unet,
                                const sonic_unet_conditions *conditions);

enum {
    SONIC_UNET_UNFOLDED = 1,  /* queries and outputs of audio attention are never folded into keys and values */
    SONIC_UNET_WHOLE_MASK = 2 /* audio attention is computed outside the mask's rectangle too */
};

typedef struct sonic_unet_step {
    /* [branches, frames, 8, rows, columns], or with constants->latents [frames, 4, rows, columns]; scaled already */
    sonic_tensor *sample;
    const int64_t *frames; /* [frame_count]: which frames of the clip the window holds */
    int32_t frame_count;
    double timestep; /* ln(sigma) / 4 */
    double ids[SONIC_UNET_IDS];
    int32_t first_branch, branches; /* which branches to compute: all at once, or one after another to save memory */
    unsigned options;               /* for tests: each exact saving can be left out */
} sonic_unet_step;

/* -> [branches, frames, 4, rows, columns] in the dtype of the weights. */
sonic_tensor *sonic_unet_run(sonic_scope *outer, const sonic_unet *unet, const sonic_unet_constants *constants,
                             const sonic_unet_step *step);

#ifdef __cplusplus
}
#endif
#endif
