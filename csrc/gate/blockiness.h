/* blockiness.h - whether the coefficients at one position of an 8x8 grid are spread differently from those at the
 * others.
 *
 * In a picture without blocks all 64 positions look alike. Compression makes one of them special, and what follows
 * (tone curves, sharpening, light blur, noise, another compression) moves its coefficients off their lattice but leaves
 * it special. */
#ifndef SONIC_GATE_BLOCKINESS_H
#define SONIC_GATE_BLOCKINESS_H

#include "gate/dct_histogram.h"

typedef struct sonic_grid {
    int32_t phase; /* of the most special position */
    /* Kullback-Leibler divergence from the others in nats a block, summed over the 14 modes; chance is taken off */
    float strength;
    float second; /* of the next position that shares neither row nor column: resampling makes several special */
    float chance; /* standard deviation of what chance gives */
    /* Of the standard table whose dead zones would have emptied as many coefficients; 100 when fewer than 5 modes lost
     * any */
    float quality;
    float emptied; /* mean share of coefficients that are near zero only at this position */
} sonic_grid;

/* counts: [phase][mode][bin] of lattice.h; strength: of every position. */
void sonic_grid_measure(sonic_grid *out, float strength[SONIC_LATTICE_PHASES], const uint32_t *counts);

#endif
