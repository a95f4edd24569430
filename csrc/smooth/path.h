/* path.h - separates shake from camera movement: a path is modelled as a smooth curve plus white noise.
 *
 * The velocity of the camera is autoregressive with normally distributed innovations: fully persistent (Whittaker's
 * smoother, "On a new method of graduation", 1923), mostly, or not at all. Frames that repeat the one before share its
 * position (a clip of 25 fps converted to 30). One more model is piecewise constant (piecewise.h), for a camera that
 * rests and then moves on. Each model and stiffness has a marginal likelihood under a scale-invariant prior on the size
 * of the shake (Wahba, "A comparison of GCV and GML for choosing the smoothing parameter", 1985), and is weighted by
 * its square root. The residual is the shake. */
#ifndef SONIC_SMOOTH_PATH_H
#define SONIC_SMOOTH_PATH_H

#include "smooth/mixture.h"

#define SONIC_PATH_MAX_POINTS SONIC_MIXTURE_MAX_POINTS
#define SONIC_PATH_MIN_STEPS 8

typedef struct sonic_path_fit {
    double correction; /* curve minus path at the requested point */
    double sigma;      /* standard deviation of the shake */
    /* 0..1 by the autocorrelation of the residual's steps: 1 as in white noise, 0 as in movement */
    double whiteness;
    /* Robust standard deviation of white noise: from the median of the path's fourth differences, free of any model */
    double robust_sigma;
    /* Ratio of the noise by fourth differences to that by second ones: 1 for white noise, less with movement */
    double difference_ratio;
} sonic_path_fit;

/* Fits the path with increments steps[count] and evaluates it at point `at`, 0..count; count at most
 * SONIC_PATH_MAX_POINTS - 1. With fewer than SONIC_PATH_MIN_STEPS the result is 0. repeats[i] 1: step i leads to a
 * repeated frame; NULL for none. in_pixels 1: a path in pixels, which may jump (the piecewise model takes part); 0: one
 * of log gains. */
sonic_path_fit sonic_path_smooth(const double *steps, const uint8_t *repeats, int32_t count, int32_t at, int in_pixels);

#endif
