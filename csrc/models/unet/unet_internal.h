/* unet_internal.h - what the files of the UNet share: its sizes, the state of one pass, views of the activations. */
#ifndef SONIC_MODELS_UNET_UNET_INTERNAL_H
#define SONIC_MODELS_UNET_UNET_INTERNAL_H

#include "models/unet/unet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SONIC_UNET_LEVELS_MAX = 8,
    SONIC_UNET_LAYERS_MAX = 8,
    SONIC_UNET_ATTENTIONS_MAX = SONIC_UNET_LEVELS_MAX * (2 * SONIC_UNET_LAYERS_MAX + 1) + 1
};

typedef struct sonic_unet_attention {
    char name[64];
    int64_t channels, offset; /* offset: channels of the layers before it */
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

/* One run of the network: where it is and what the layers need. */
typedef struct sonic_unet_pass {
    const sonic_unet *unet;
    const sonic_unet_constants *constants;
    const sonic_unet_step *step;
    sonic_tensor *frames; /* int64 [frames] beside the weights */
    /* What each branch hears in the window: [1 or frames, audio tokens, context] */
    sonic_tensor *audio[SONIC_UNET_BRANCHES_MAX];
    /* Over the window: what layers over time hear, [1, audio tokens, context] */
    sonic_tensor *audio_mean[SONIC_UNET_BRANCHES_MAX];
    sonic_tensor *embedding; /* [1, embedding]: SiLU of the embedding of time and ids, in the dtype of the weights */
    int64_t branch_count, frame_count, rows, columns; /* of the activations at this level */
    int32_t level, next_res, next_attention;
} sonic_unet_pass;

/* Views of activations [branches, frames, tokens, channels], contiguous. */
/* [all tokens, channels] */
sonic_tensor *sonic_unet_rows(sonic_scope *scope, sonic_tensor *x);
/* [branches frames, channels, rows, columns] */
sonic_tensor *sonic_unet_images(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x);
/* [branches, channels, frames, tokens] */
sonic_tensor *sonic_unet_movies(sonic_scope *scope, sonic_tensor *x);
/* And back, from images of any memory layout or movies; x is taken. */
sonic_tensor *sonic_unet_from_images(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x);
sonic_tensor *sonic_unet_from_movies(sonic_scope *scope, sonic_tensor *x);

/* GN over 32 groups, new: the statistics are those of one frame, or of all frames of a branch. */
sonic_tensor *sonic_unet_norm_frames(sonic_scope *scope, const sonic_network *network, const char *name,
                                     sonic_tensor *x, double epsilon);
sonic_tensor *sonic_unet_norm_movie(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x,
                                    double epsilon);

/* Res blocks, res_block.c. x [branches, frames, tokens, in] is read; the result is new. */
sonic_tensor *sonic_unet_res_block(sonic_scope *outer, sonic_unet_pass *pass, const sonic_network *network,
                                   sonic_tensor *x, double epsilon);

/* Parts of a transformer block, transformer.c: all add to x [branches, frames, tokens, channels] in place. */
/* Each token looks at its frame */
void sonic_unet_look_in_frames(sonic_scope *outer, const sonic_network *block, sonic_tensor *x, int64_t head_dim);
void sonic_unet_feed_forward(sonic_scope *outer, const sonic_network *block, const char *norm, const char *name,
                             sonic_tensor *x, bool over_time);
/* x += to_out(y); y is taken */
void sonic_unet_add_output(sonic_scope *scope, const sonic_network *attn, sonic_tensor *x, sonic_tensor *y);

/* Transformers, transformer.c. Adds to x in place. */
void sonic_unet_transformer(sonic_scope *outer, sonic_unet_pass *pass, const sonic_network *network, sonic_tensor *x);

/* The window's audio tokens, beside the weights: fills audio and audio_mean. */
void sonic_unet_hear(sonic_scope *scope, sonic_unet_pass *pass, sonic_tensor *like);

/* Cross-attention to image and sound, audio_attention.c. Both add to x in place; `block` holds norm2 and attn2. */
void sonic_unet_hear_in_frames(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_unet_attention *layer,
                               const sonic_network *block, sonic_tensor *x);
void sonic_unet_hear_over_time(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_unet_attention *layer,
                               const sonic_network *block, sonic_tensor *x);

/* Embeddings, embeddings.c: all in float32, whatever the weights. */
/* [1, embedding] */
sonic_tensor *sonic_unet_embed_step(sonic_scope *outer, const sonic_unet *unet, double timestep,
                                    const double ids[SONIC_UNET_IDS]);
/* [frames, channels] */
sonic_tensor *sonic_unet_embed_positions(sonic_scope *outer, const sonic_network *attention, int64_t frames);

/* Whether somebody asks for the outputs of layers (sonic_operator_probe). */
bool sonic_unet_is_probed(const sonic_network *network);
/* The output of a layer that was added to the stream: x - before. `before` is a copy of x made while probed, or NULL.
 * x [branches, frames, tokens, channels]; shown as [branches frames, tokens, channels] or, over time, [branches tokens,
 * frames, channels]. */
sonic_tensor *sonic_unet_probe_before(sonic_scope *scope, const sonic_network *network, sonic_tensor *x);
void sonic_unet_probe_added(sonic_scope *scope, const sonic_network *layer, sonic_tensor *x, sonic_tensor *before,
                            bool over_time);

#ifdef __cplusplus
}
#endif
#endif
