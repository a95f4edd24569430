/* translate.h - a plane or picture moved by a fraction of a pixel: Lanczos of order 4, 8 taps an axis, weights summing
 * to 1 (Duchon 1979, "Lanczos filtering in one and two dimensions"). The border is repeated outwards. */
#ifndef SONIC_SMOOTH_TRANSLATE_H
#define SONIC_SMOOTH_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

#define SONIC_SHIFT_TAPS 8

/* Weights of the pixels floor(at) - 3 .. floor(at) + 4 for a sample at `at`; returns floor(at). */
int32_t sonic_shift_taps(float taps[SONIC_SHIFT_TAPS], double at);

/* out(x, y) = in(x + dx_px, y + dy_px); arrays [height, width, channels], `scratch` of the same size. Only copies for a
 * shift of 0. */
void sonic_shift(float *out, float *scratch, const float *in, int32_t width, int32_t height, int32_t channels,
                 double dx_px, double dy_px);

#endif
