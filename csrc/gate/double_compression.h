/* double_compression.h - a coarser primary compression below a later, finer one on the same grid.
 *
 * After the later compression every coefficient is a multiple n of its step q2. A primary step q1 > q2 left only
 * multiples of q1, so some n are frequent and others empty (J. Lukas, J. Fridrich, "Estimation of primary quantization
 * matrix in double compressed JPEG images", DFRWS 2003). A likelihood ratio compares that histogram with one of a
 * single compression. */
#ifndef SONIC_GATE_DOUBLE_COMPRESSION_H
#define SONIC_GATE_DOUBLE_COMPRESSION_H

#include "gate/dct_modes.h"

#define SONIC_DOUBLE_COMPRESSION_LEVELS 256

/* Lowest quality of the last compression for the search: below, too few levels are left. Chosen by hand on the variants
 * of bench/gate.py. */
#define SONIC_DOUBLE_COMPRESSION_LAST_QUALITY 55

/* Histogram of the absolute multiples of the last step. */
typedef struct sonic_double_compression_counts {
    uint32_t count[SONIC_DCT_MODES][SONIC_DOUBLE_COMPRESSION_LEVELS]; /* [mode][n]; the last n counts larger ones too */
    int32_t step[SONIC_DCT_MODES];                                    /* last step of each mode */
} sonic_double_compression_counts;

typedef struct sonic_double_compression {
    int32_t quality;  /* standard table of the primary compression; 0 when none is found */
    float likelihood; /* sum of log likelihood ratios over the modes */
} sonic_double_compression;

void sonic_double_compression_find(sonic_double_compression *out, const sonic_double_compression_counts *counts);

#endif
