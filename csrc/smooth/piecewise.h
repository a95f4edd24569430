/* piecewise.h - a piecewise constant path plus white noise, averaged over all partitions into pieces.
 *
 * A product partition model (Barry and Hartigan, "Product partition models for change point problems", 1992): each
 * piece has a level drawn from a normal distribution as wide as the path, and ends at each point with the same
 * probability. The sum over partitions has a closed form by forward and backward recursion, in time quadratic in the
 * points. Noise levels and jump probabilities come from a grid, each weighted by the likelihood of the path. */
#ifndef SONIC_SMOOTH_PIECEWISE_H
#define SONIC_SMOOTH_PIECEWISE_H

#include "smooth/mixture.h"

#define SONIC_PIECEWISE_MAX SONIC_MIXTURE_MAX_POINTS

/* curve[count]: the expected level at each point of path[count], in px, count 1..SONIC_PIECEWISE_MAX; sigma_px: of the
 * noise. Returns the log-likelihood of the path, less (count - 1) ln(2 pi) / 2. */
double sonic_piecewise_fit(double *curve, double *sigma_px, const double *path, int32_t count);

#endif
