/* noise.h - frame noise: measured between successive frames, and taken away by a filter that remembers.
 *
 * Per pixel a Kalman filter of a constant: the remembered picture, its variance in units of the noise's, and a gain.
 * Where the difference to the new frame, averaged over 5 x 5 pixels, is more than noise, the memory is worth nothing
 * and the new frame counts alone. What noise then remains is evened out over the nearest pixels, in plain parts of the
 * picture. */
#ifndef SONIC_SMOOTH_NOISE_H
#define SONIC_SMOOTH_NOISE_H

#include "sonic.h"

typedef struct sonic_noise_filter {
    int32_t width, height;
    float *memory;   /* [height, width, 3] */
    float *variance; /* [height, width], of memory, in units of the noise's */
    float *scratch;  /* [3, height, width] */
} sonic_noise_filter;

/* Standard deviation of the noise of `now`, in levels, from its differences to `before` where the picture stands still;
 * both [height, width, 3]. 0 when the differences are too few, or are not noise but movement or a codec's. */
double sonic_noise_measure(const float *now, const float *before, int32_t width, int32_t height);

/* Replaces the memory by `frame`. */
void sonic_noise_start(sonic_noise_filter *filter, const float *frame);

/* Takes `frame` into the memory, which is then the cleaned frame. `sigma` in levels; no pixel takes less than `least`
 * (0..1) of the new frame. */
void sonic_noise_take(sonic_noise_filter *filter, const float *frame, double sigma, double least);

/* What the memory could not take away is evened out where the picture is plain: out = mean + max(0, 1 - noise /
 * variance) * (in - mean) over 3 x 3 pixels (Lee, "Digital image enhancement and noise filtering by use of local
 * statistics", 1980), the noise being the filter's own variance times share * 1.5 sigma^2. `out` and `in` [height,
 * width, 3] are not the filter's. */
void sonic_noise_even(float *out, const float *in, const sonic_noise_filter *filter, double sigma, double share);

#endif
