/* video.h - the blocks of the temporal decoder: what they do in each frame, and what they do over the frames of a
 * chunk.
 *
 * Large videos go through in parts, so that beside the video and one more of its size only parts are held. In a frame
 * the parts are frames; over frames they are groups of channels for normalisation, which knows no others, and positions
 * for convolution, whose kernel is 1 in space: the mathematics is the same. Which parts depends on shapes alone, so
 * pixels do not depend on the machine. */
#ifndef SONIC_MODELS_VAE_VIDEO_H
#define SONIC_MODELS_VAE_VIDEO_H

#include "models/vae/block.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SONIC_VAE_PART (1 << 25) /* numbers in a part, or one frame's where that is more */

/* A block in space, then one in time. x [f, c, h, w] is released. `enlarge`: a level whose upsampling comes before, or
 * NULL. */
sonic_tensor *sonic_vae_video_block(sonic_scope *scope, const sonic_network *enlarge, const sonic_network *block,
                                    sonic_tensor *x, int64_t part);

/* Kernel 3 in time with zeros before the first and behind the last frame, 1 in space; weight [out, in, 3, 1, 1]. x [f,
 * c, h, w] */
sonic_tensor *sonic_vae_conv_in_time(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias);

#ifdef __cplusplus
}
#endif
#endif
