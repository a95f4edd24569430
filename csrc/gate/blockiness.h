/* blockiness.h - how far the DCT coefficients at one grid offset are distributed differently from those at the others.
 *
 * Without blocks all 64 offsets have the same distribution. Compression changes it at one of them. Later processing
 * (tone curves, sharpening, light blur, noise, another compression) moves coefficients off the multiples of their
 * steps, but the difference between offsets stays. */
#ifndef SONIC_GATE_BLOCKINESS_H
#define SONIC_GATE_BLOCKINESS_H

#include "gate/dct_modes.h"

typedef struct sonic_blockiness {
    int32_t grid_offset; /* with the largest divergence */
    /* Kullback-Leibler divergence from the other offsets in nats a block, summed over the 14 modes; its expectation
     * without blocks is subtracted */
    float strength;
    float second; /* of the next offset in another row and column: resampling makes several offsets differ */
    float chance; /* standard deviation of `strength` without blocks */
    /* Standard table whose dead zones would zero as many coefficients; 100 when fewer than 5 modes lost any */
    float quality;
    float zeroed; /* mean share of coefficients that are near zero only at this offset */
} sonic_blockiness;

/* counts: [grid offset][mode][bin] of dct_histogram.h. strength: of every offset. */
void sonic_blockiness_measure(sonic_blockiness *out, float strength[SONIC_GRID_OFFSETS], const uint32_t *counts);

#endif
