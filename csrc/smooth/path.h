/* path.h - shake told apart from movement: a path as a curve plus white noise.
 *
 * A camera's velocity goes on from point to point but for steps that are normally distributed: wholly (the smoothing of
 * Whittaker, "On a new method of graduation", 1923), for the greater part, or not at all. Frames that repeat the one
 * before stand at its place (a clip of 25 frames a second brought to 30). Another curve is one of pieces
 * (smooth_rests.h), for a camera that rests and then moves on. Each kind and stiffness of curve has a marginal
 * likelihood, all sizes of shake being as likely beforehand (Wahba, "A comparison of GCV and GML for choosing the
 * smoothing parameter", 1985), and counts by its square root. What is left is the shake. */
#ifndef SONIC_SMOOTH_PATH_H
#define SONIC_SMOOTH_PATH_H

#include "smooth/mixture.h"

#define SONIC_PATH_MAX SONIC_MIXTURE_MAX
#define SONIC_PATH_MIN 8

typedef struct sonic_path_fit {
    double correction; /* curve minus path at the point asked for */
    double sigma;      /* standard deviation of the shake */
    /* 0..1: 1 when what is left answers from point to point as white shake does, 0 when it is movement */
    double whiteness;
    /* Standard deviation of white shake by the path's fourth differences, which know no curve; robust */
    double white;
    /* 1 where fourth differences are as large as white shake makes them beside second ones, less where there is
     * movement */
    double evenness;
} sonic_path_fit;

/* The path that takes steps[count], at point `at` of 0 .. count; count at most SONIC_PATH_MAX - 1. With fewer than
 * SONIC_PATH_MIN steps everything is 0. repeats[i] 1: step i leads to the same picture once more; NULL for none.
 * `jumps`: the path is one of pixels, which may jump; otherwise only even movement is looked for. */
sonic_path_fit sonic_path_smooth(const double *steps, const uint8_t *repeats, int32_t count, int32_t at, int jumps);

#endif
