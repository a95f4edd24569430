/* likelihood.h - which quantisation table explains the coefficients of a grid position, and how well.
 *
 * For a step q a coefficient c contributes log((1 - e) q N(c - k q; sigma) + e) with k = round(c / q), e = 0.02: how
 * much likelier it is if it was quantised with q and disturbed by noise of sigma than if it was not. Coefficients with
 * k = 0 say nothing, otherwise smooth pictures would vote. Sigma 0.5 is a fresh decode rounded to 8 bits, larger values
 * are later changes (another compression, noise). */
#ifndef SONIC_GATE_LIKELIHOOD_H
#define SONIC_GATE_LIKELIHOOD_H

#include "gate/dct_histogram.h"

#define SONIC_LIKELIHOOD_SIGMAS 3
#define SONIC_LIKELIHOOD_STEPS 128 /* 2..121 are in use */
#define SONIC_LIKELIHOOD_LOW_QUALITY 5
#define SONIC_LIKELIHOOD_HIGH_QUALITY 98

extern const float sonic_likelihood_sigma[SONIC_LIKELIHOOD_SIGMAS];

/* Tables of logarithms, 1 MB; made once, read by any number of threads. */
typedef struct sonic_likelihood sonic_likelihood;
sonic_status sonic_likelihood_create(sonic_likelihood **out);
void sonic_likelihood_free(sonic_likelihood *tables);

/* Sums for one position: [sigma][mode][step]. */
typedef struct sonic_likelihood_sums {
    float of[SONIC_LIKELIHOOD_SIGMAS][SONIC_LATTICE_MODES][SONIC_LIKELIHOOD_STEPS];
} sonic_likelihood_sums;

/* counts: [mode][bin] of one position. */
void sonic_likelihood_sum(sonic_likelihood_sums *out, const sonic_likelihood *tables, const uint32_t *counts);

/* The sum of the standard table of `quality` (5..98); turned is 1 for pictures rotated by a quarter after compression.
 */
float sonic_likelihood_of_quality(const sonic_likelihood *tables, const sonic_likelihood_sums *sums, int32_t sigma,
                                  int32_t quality, int32_t turned);

#endif
