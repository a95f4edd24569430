/* pixels.h - frames between 8-bit levels and float32: gains, blending, rounding. Images are [height, width, 3]. */
#ifndef SONIC_SMOOTH_PIXELS_H
#define SONIC_SMOOTH_PIXELS_H

#include "smooth/correction.h"

/* Levels times the correction's gains; tile gains are interpolated bilinearly between the centres of the tiles. */
void sonic_pixels_apply_gains(float *out, const uint8_t *in, int32_t width, int32_t height,
                              const sonic_correction *correction);

/* out = a + share * (b - a) */
void sonic_pixels_blend(float *out, const float *a, const float *b, float share, int32_t width, int32_t height);

/* Rounded and clipped to 0..255. */
void sonic_pixels_round(sonic_image out, const float *in);

/* Copies rows of width * 3 bytes; strides in bytes. */
void sonic_pixels_copy(uint8_t *out, ptrdiff_t out_stride, const uint8_t *in, ptrdiff_t in_stride, int32_t width,
                       int32_t height);

#endif
