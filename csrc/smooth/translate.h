/* translate.h - translates an image by a fraction of a pixel: Lanczos of order 4, 8 taps per axis, weights normalised
 * to 1 (Duchon 1979, "Lanczos filtering in one and two dimensions"). The border is replicated. */
#ifndef SONIC_SMOOTH_TRANSLATE_H
#define SONIC_SMOOTH_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

/* out(x, y) = in(x + dx_px, y + dy_px); arrays [height, width, channels], `scratch` of the same size. Copies when both
 * are 0. */
void sonic_translate(float *out, float *scratch, const float *in, int32_t width, int32_t height, int32_t channels,
                     double dx_px, double dy_px);

#endif
