/* piecewise.h - a path that rests and jumps: pieces of constant height plus white noise, all divisions into pieces at
 * once.
 *
 * A product partition model (Barry and Hartigan, "Product partition models for change point problems", 1992): each
 * piece has a height of its own, drawn from a normal distribution as wide as the path, and ends at each point with one
 * probability. Everything then sums in closed form over the pieces that begin and end anywhere, in the time of the
 * square of the points. Sizes of the noise and probabilities of a jump are tried on a grid, each weighted by the
 * likelihood of the path. */
#ifndef SONIC_SMOOTH_PIECEWISE_H
#define SONIC_SMOOTH_PIECEWISE_H

#include "smooth/mixture.h"

#define SONIC_RESTS_MAX SONIC_MIXTURE_MAX

/* curve[count]: the expected height at each point of path[count], in px, count 1 .. SONIC_RESTS_MAX; sigma_px: of the
 * noise. Returns the logarithm of the path's likelihood, less count - 1 times ln(2 pi) / 2. */
double sonic_rests_fit(double *curve, double *sigma_px, const double *path, int32_t count);

#endif
