/* mixture.h - curves averaged by their likelihood (Bayesian model averaging), accumulated one at a time. */
#ifndef SONIC_SMOOTH_MIXTURE_H
#define SONIC_SMOOTH_MIXTURE_H

#include <stdint.h>

#define SONIC_MIXTURE_MAX_POINTS 64

/* Weighted sums, relative to exp(best) so that no weight overflows: divide curve and sigma by weight. Initial value:
 * {-INFINITY, 0, 0, {0}}. */
typedef struct sonic_mixture {
    double best, weight, sigma, curve[SONIC_MIXTURE_MAX_POINTS];
} sonic_mixture;

/* Adds curve [count] and its noise level with weight exp(evidence), evidence a natural logarithm; count
 * 1..SONIC_MIXTURE_MAX_POINTS. */
void sonic_mixture_add(sonic_mixture *mixture, const double *curve, double sigma, double evidence, int32_t count);

#endif
