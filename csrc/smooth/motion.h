/* motion.h - how the camera moved and how the brightness changed from one frame to the next.
 *
 * Translation and gain minimise the squared difference (Lucas and Kanade 1981, "An iterative image registration
 * technique"), coarse to fine, with the mean gradient of both frames so that noise does not bias the result towards 0.
 * The sums are kept per block of 16 x 16 px, and blocks that disagree with most of the image lose their weight
 * (iteratively reweighted least squares; Geman and McClure 1987). Each block has a prior weight as background, which
 * falls when the block moves on its own, so a moving foreground is not mistaken for background. */
#ifndef SONIC_SMOOTH_MOTION_H
#define SONIC_SMOOTH_MOTION_H

#include "smooth/gains.h"

typedef struct sonic_camera_motion {
    double shift_px[2]; /* x, y in pixels of the frame: now(p + shift) shows what before(p) showed */
    double error_px[2]; /* standard deviation of that */
    sonic_gains gains;
    int32_t cut;    /* 1: another scene, or no frame before */
    int32_t repeat; /* 1: the frame before once more, except for shake and noise: nothing moves within the image */
} sonic_camera_motion;

/* Floats of scratch that sonic_camera_motion_estimate needs. */
size_t sonic_camera_motion_scratch_floats(const sonic_pyramid *pyramid);

/* Floats of the background prior that sonic_camera_motion_estimate keeps from frame to frame. */
size_t sonic_camera_motion_prior_floats(const sonic_pyramid *pyramid);

/* `last` is the motion to `before`, or NULL. With it, `prior` holds what that call left, which keeps the estimate on
 * the same part of the image; without it, or after a cut, the prior is initialised. */
void sonic_camera_motion_estimate(sonic_camera_motion *out, const sonic_pyramid *before, const sonic_pyramid *now,
                                  const sonic_camera_motion *last, float *prior, float *scratch);

#endif
