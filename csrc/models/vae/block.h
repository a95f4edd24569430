/* block.h - blocks that the encoder and the decoder of the autoencoder share (Rombach et al. 2022; names as in
 * Stability's checkpoint). */
#ifndef SONIC_MODELS_VAE_BLOCK_H
#define SONIC_MODELS_VAE_BLOCK_H

#include "models/layers.h"

#define SONIC_VAE_EPSILON 1e-6 /* of group normalisation */

#define SONIC_VAE_GROUPS 32
#define SONIC_VAE_PART_VALUES (1 << 25) /* values in a part; of a video, a part holds one frame at least */

/* Parts of whole groups of channels, each of at most `part_values` values where there are groups enough: a power of
 * two, so that it divides the number of groups. */
int64_t sonic_vae_norm_parts(const sonic_tensor *x, int64_t part_values);
/* to = SiLU(GN(from)), both [b, c, ..], in place where they are the same, part after part; `name`: of the norm. */
void sonic_vae_norm_silu(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *to,
                         sonic_tensor *from, int64_t parts, double epsilon);
/* The part of `to` from `at` on along `dim` = part, which is released. */
void sonic_vae_copy_to(sonic_scope *scope, sonic_tensor *to, int64_t dim, int64_t at, sonic_tensor *part);

/* x + conv2(SiLU(GN(conv1(SiLU(GN x))))), with a 1x1 convolution on x where the channels change. x [b, in, h, w] is
 * released -> [b, out, h, w]. On a card large x is normalised in parts: PyTorch would first copy x to channels-first,
 * and the result back. `part_values`: SONIC_VAE_PART_VALUES except in tests. */
sonic_tensor *sonic_vae_res_block(sonic_scope *outer, const sonic_network *block, sonic_tensor *x, int64_t part_values);

/* x + single-head self-attention over all positions of each image. x [b, c, h, w] is released. */
sonic_tensor *sonic_vae_attention(sonic_scope *outer, const sonic_network *block, sonic_tensor *x);

#endif
