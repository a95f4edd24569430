/* smooth_path.h - shake told apart from movement: a path as a curve plus white noise.
 *
 * The curve minimises its squared distance to the path plus lambda times a roughness. Two kinds of roughness are tried: squared second
 * differences (Whittaker, "On a new method of graduation", 1923), for a camera that moves evenly, and first differences of which large
 * ones count little (weights 1 / (1 + (step / jump)^2), iterated), for one that rests and then moves on. Generalised cross-validation (Craven and
 * Wahba 1978; degrees of freedom weighted by 1.4 as Kim and Gu 2004 advise) weighs the curves of all kinds and lambdas, by its score to the
 * power of half the points, as a likelihood would. What is left is the shake. */
#ifndef SONIC_POST_SMOOTH_PATH_H
#define SONIC_POST_SMOOTH_PATH_H

#include <stdint.h>

#define SONIC_PATH_MAX 64
#define SONIC_PATH_MIN 8

typedef struct sonic_path_fit {
    double correction; /* curve minus path at the point asked for */
    double sigma;      /* standard deviation of the shake */
    double whiteness;  /* 0..1: 1 when what is left answers from point to point as white shake does, 0 when it is movement */
} sonic_path_fit;

/* The path that takes steps[count], at point `at` of 0 .. count; count at most SONIC_PATH_MAX - 1. With fewer than SONIC_PATH_MIN steps
 * everything is 0. `jump` is the size from which a step may be a movement, in the unit of the steps; 0: it
 * never is, and only the first kind is tried. */
sonic_path_fit sonic_path_smooth(const double *steps, int32_t count, int32_t at, double jump);

#endif
