/* fourier.h - discrete Fourier transforms of a sequence and of 32 x 32 blocks.
 *
 * Radix-2 decimation in time (J. Cooley, J. Tukey, Mathematics of Computation 19, 1965). Butterflies
 * of blocks work on rows of 32 columns at a time. */
#ifndef SONIC_GATE_FOURIER_H
#define SONIC_GATE_FOURIER_H

#include "sonic.h"

#define SONIC_FOURIER_BLOCK 32

/* In place; count is a power of 2. */
void sonic_fourier_sequence(float *re, float *im, int32_t count);

typedef struct sonic_fourier_block {
    float re[SONIC_FOURIER_BLOCK][SONIC_FOURIER_BLOCK], im[SONIC_FOURIER_BLOCK][SONIC_FOURIER_BLOCK];
} sonic_fourier_block;

/* Twiddle factors and Hann window. */
typedef struct sonic_fourier_tables {
    float cosine[SONIC_FOURIER_BLOCK / 2], sine[SONIC_FOURIER_BLOCK / 2], window[SONIC_FOURIER_BLOCK];
} sonic_fourier_tables;

void sonic_fourier_tables_init(sonic_fourier_tables *tables);

/* The 2D transform in place; the result is transposed: [horizontal frequency][vertical frequency]. scratch: any block.
 */
void sonic_fourier_transform(sonic_fourier_block *block, sonic_fourier_block *scratch,
                             const sonic_fourier_tables *tables);

#endif
