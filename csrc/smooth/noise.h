/* noise.h - frame noise: estimated between consecutive frames, and removed by a recursive temporal filter.
 *
 * Per pixel a Kalman filter of a constant: estimate, its variance in units of the noise variance, and gain. Where the
 * difference to the new frame, averaged over 5 x 5 pixels, exceeds the noise, the estimate is discarded for the new
 * frame. The noise that remains is then filtered spatially in smooth regions. */
#ifndef SONIC_SMOOTH_NOISE_H
#define SONIC_SMOOTH_NOISE_H

#include "sonic.h"

typedef struct sonic_noise_filter {
    int32_t width, height;
    float *estimate; /* [height, width, 3] */
    float *variance; /* [height, width], of the estimate, in units of the noise variance */
    float *scratch;  /* [3, height, width] */
} sonic_noise_filter;

/* Standard deviation of the noise of `now`, in levels, from its differences to `before` where the image is static; both
 * [height, width, 3]. 0 when there are too few differences, or when they are correlated from pixel to pixel, as motion
 * and compression artefacts are. */
double sonic_noise_estimate(const float *now, const float *before, int32_t width, int32_t height);

/* Replaces the estimate by `frame`. */
void sonic_noise_reset(sonic_noise_filter *filter, const float *frame);

/* Updates the estimate, which is then the filtered frame. `sigma` in levels; the gain of a pixel is at least `min_gain`
 * (0..1). */
void sonic_noise_update(sonic_noise_filter *filter, const float *frame, double sigma, double min_gain);

/* Filters the remaining noise in smooth regions: out = mean + max(0, 1 - noise / variance) * (in - mean) over 3 x 3
 * pixels (Lee, "Digital image enhancement and noise filtering by use of local statistics", 1980), noise being the
 * filter's variance times share * 1.5 sigma^2. `out` and `in` [height, width, 3] must not be the filter's buffers. */
void sonic_noise_filter_residual(float *out, const float *in, const sonic_noise_filter *filter, double sigma,
                                 double share);

#endif
