/* unet_internal.h - the structs that the files of the UNet share: its sizes, and the state of one pass. */
#ifndef SONIC_MODELS_UNET_UNET_INTERNAL_H
#define SONIC_MODELS_UNET_UNET_INTERNAL_H

#include "models/unet/unet_types.h"

enum {
    SONIC_UNET_LEVELS_MAX = 8,
    SONIC_UNET_LAYERS_MAX = 8,
    SONIC_UNET_ATTENTIONS_MAX = SONIC_UNET_LEVELS_MAX * (2 * SONIC_UNET_LAYERS_MAX + 1) + 1
};

typedef struct sonic_unet_attention {
    char name[64];
    int64_t channels, offset; /* offset: sum of the channels of the layers before it */
} sonic_unet_attention;

struct sonic_unet {
    sonic_network network;
    /* Resolutions; res blocks of each down block, one fewer than of each up block */
    int32_t levels, layers;
    /* Whether the down block of that level has transformers; up blocks mirror them */
    bool attends[SONIC_UNET_LEVELS_MAX];
    int64_t head_dim, channels; /* channels of level 0 */
    int32_t attention_count, res_count;
    int64_t attention_sum; /* channels of all attention layers */
    sonic_unet_attention attentions[SONIC_UNET_ATTENTIONS_MAX];
};

/* One pass through the network. */
typedef struct sonic_unet_pass {
    const sonic_unet *unet;
    const sonic_unet_constants *constants;
    const sonic_unet_step *step;
    sonic_tensor *frames; /* int64 [frames] on the device of the weights */
    /* Audio tokens of each branch in the window: [1 or frames, audio tokens, context] */
    sonic_tensor *audio[SONIC_UNET_BRANCHES_MAX];
    /* Their mean over the window, for temporal layers: [1, audio tokens, context] */
    sonic_tensor *audio_mean[SONIC_UNET_BRANCHES_MAX];
    sonic_tensor *embedding; /* [1, embedding]: SiLU of the embedding of time and ids, in the dtype of the weights */
    int64_t branch_count, frame_count, rows, columns; /* of the activations at this level */
    int32_t level, next_res, next_attention;
} sonic_unet_pass;

#endif
