/* embed.h - writes an invisible watermark of 32 bits into frames, one at a time.
 *
 * Every frame gets the same pattern (chips.h), so that a reader may add frames up: noise of the encoder and movement
 * average out, the pattern stays. It is added to all three channels alike. Its local strength, in levels (root mean
 * square), rises with the texture around the pixel from SONIC_WATERMARK_LEAST to SONIC_WATERMARK_MOST: the second
 * bounds the PSNR of any frame from below (42.4 dB). Lips and eyes get none. Spread spectrum with perceptual masking:
 * I. Cox et al., IEEE Trans. Image Processing 6 (12), 1997. The result does not depend on frames before. */
#ifndef SONIC_WATERMARK_EMBED_H
#define SONIC_WATERMARK_EMBED_H

#include "sonic.h"

#define SONIC_WATERMARK_LEAST 1.15f
#define SONIC_WATERMARK_MOST 1.9f

typedef struct sonic_watermark sonic_watermark;

/* For frames of this size; sides of 1 to 8192 px. SONIC_ERROR_ARGUMENT, SONIC_ERROR_MEMORY. */
sonic_status sonic_watermark_create(sonic_watermark **out, int32_t width_px, int32_t height_px, uint32_t payload);
void sonic_watermark_free(sonic_watermark *mark);

/* Lips and eyes of faces with `meshes` [count, 468, 3] in px of the frame stay free from the next frame on. */
void sonic_watermark_spare(sonic_watermark *mark, const float *meshes, int32_t count);

/* Adds the pattern to `frame` in place. SONIC_ERROR_SHAPE for another size or other than 3 channels. */
sonic_status sonic_watermark_apply(sonic_watermark *mark, sonic_image frame);

#endif
