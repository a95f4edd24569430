/* video.h - the blocks of the temporal decoder of Stable Video Diffusion (Blattmann et al. 2023): a spatial res block
 * in each frame, then a temporal one over the frames of a chunk.
 *
 * Large videos are processed in parts, so peak memory is two videos and a few parts. Spatial parts are frames (block.h
 * has the parts of a frame). Temporal parts are groups of channels for group normalisation and ranges of positions for
 * convolution, whose spatial kernel is 1 x 1: the result is mathematically the same. The split depends on shapes alone,
 * so pixels do not depend on free memory. */
#ifndef SONIC_MODELS_VAE_VIDEO_H
#define SONIC_MODELS_VAE_VIDEO_H

#include "models/vae/block.h"

/* A spatial res block, then a temporal one. x [f, c, h, w] is released -> [f, out, h, w], or [f, out, 2 h, 2 w] with
 * `upsample`, the level whose upsampling comes first, or NULL. `part_values`: SONIC_VAE_PART_VALUES except in tests. */
sonic_tensor *sonic_vae_video_block(sonic_scope *scope, const sonic_network *upsample, const sonic_network *block,
                                    sonic_tensor *x, int64_t part_values);

/* Convolution over frames, kernel 3 x 1 x 1, zero padding; weight [out, in, 3, 1, 1]. x [f, in, h, w] -> [f, out, h, w]
 */
sonic_tensor *sonic_vae_temporal_conv(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias);

#endif
