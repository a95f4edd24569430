/* transformer.h - the spatio-temporal transformer (Blattmann et al., 2023): a block with attention within each frame, a
 * block with attention over frames at each position, and their blend. Activations x are [branches, frames, tokens,
 * channels]; every function adds to x in place. */
#ifndef SONIC_MODELS_UNET_TRANSFORMER_H
#define SONIC_MODELS_UNET_TRANSFORMER_H

#include "models/unet/unet_internal.h"

void sonic_unet_transformer(sonic_scope *outer, sonic_unet_pass *pass, const sonic_network *network, sonic_tensor *x);

/* Parts of a block, which transformer_block shares (models/block_operators.c). */

/* x += attn1(norm1(x)): each token attends to the tokens of its frame */
void sonic_unet_spatial_self_attention(sonic_scope *outer, const sonic_network *block, sonic_tensor *x,
                                       int64_t head_dim);
/* x += name(norm(x)), a GEGLU network, in tiles of tokens. inner: the most numbers of a tile's inner activations.
 * temporal: the layout in which the layer is probed */
void sonic_unet_feed_forward(sonic_scope *outer, const sonic_network *block, const char *norm, const char *name,
                             sonic_tensor *x, int64_t inner, bool temporal);
/* x += to_out(y); y [.., tokens, channels] is taken */
void sonic_unet_add_output(sonic_scope *scope, const sonic_network *attn, sonic_tensor *x, sonic_tensor *y);

#endif
