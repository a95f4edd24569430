/* likelihood.h - how well a quantisation table explains the coefficients at one grid offset.
 *
 * For a step q a coefficient c contributes log((1 - e) q N(c - k q; sigma) + e) with k = round(c / q) and e = 0.02: the
 * log likelihood ratio of "quantised with q, then disturbed by Gaussian noise" against "not quantised". Coefficients
 * with k = 0 do not count, otherwise every smooth image would support every table. Sigma 0.5 fits a fresh decode
 * rounded to 8 bits; larger ones fit later changes (another compression, noise). */
#ifndef SONIC_GATE_LIKELIHOOD_H
#define SONIC_GATE_LIKELIHOOD_H

#include "sonic.h"
#include "gate/dct_modes.h"

#define SONIC_LIKELIHOOD_SIGMAS 3
#define SONIC_LIKELIHOOD_STEPS 128 /* 2..121 are in use */
#define SONIC_LIKELIHOOD_LOW_QUALITY 5
#define SONIC_LIKELIHOOD_HIGH_QUALITY 98

/* Grey levels. */
extern const float sonic_likelihood_sigma[SONIC_LIKELIHOOD_SIGMAS];

/* Tables of logarithms, 1 MB; created once, read by any number of threads. */
typedef struct sonic_likelihood sonic_likelihood;
sonic_status sonic_likelihood_create(sonic_likelihood **out);
void sonic_likelihood_free(sonic_likelihood *tables);

/* Sums of log likelihood ratios at one grid offset. */
typedef struct sonic_likelihood_sums {
    float sum[SONIC_LIKELIHOOD_SIGMAS][SONIC_DCT_MODES][SONIC_LIKELIHOOD_STEPS];
} sonic_likelihood_sums;

/* counts: [mode][bin] of one grid offset. */
void sonic_likelihood_sum(sonic_likelihood_sums *out, const sonic_likelihood *tables, const uint32_t *counts);

/* The sum over the modes for the standard table of `quality` (5..98). rotated_90: 1 transposes the table, for an image
 * rotated by 90 degrees after its compression. */
float sonic_likelihood_of_quality(const sonic_likelihood *tables, const sonic_likelihood_sums *sums, int32_t sigma,
                                  int32_t quality, int32_t rotated_90);

#endif
