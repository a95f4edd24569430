/* block.h - blocks that the encoder and the decoder of the autoencoder share (Rombach et al. 2022; names as in
 * Stability's checkpoint). */
#ifndef SONIC_MODELS_VAE_BLOCK_H
#define SONIC_MODELS_VAE_BLOCK_H

#include "models/layers.h"

#define SONIC_VAE_EPSILON 1e-6 /* of group normalisation */

/* x + conv2(SiLU(GN(conv1(SiLU(GN x))))), with a 1x1 convolution on x where the channels change. x [b, in, h, w] is
 * released -> [b, out, h, w]. */
sonic_tensor *sonic_vae_res_block(sonic_scope *outer, const sonic_network *block, sonic_tensor *x);

/* x + single-head self-attention over all positions of each image. x [b, c, h, w] is released. */
sonic_tensor *sonic_vae_attention(sonic_scope *outer, const sonic_network *block, sonic_tensor *x);

#endif
