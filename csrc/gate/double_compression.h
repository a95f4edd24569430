/* double_compression.h - a coarser compression that a later, finer one on the same grid hides.
 *
 * The later compression explains every coefficient: all are multiples n of its step q2. But an earlier step q1 > q2
 * left only multiples of q1, and those fall on some n and leave others empty (J. Lukas, J. Fridrich, "Estimation of
 * primary quantization matrix in double compressed JPEG images", DFRWS 2003). Both ways of making the histogram are
 * compared by likelihood. */
#ifndef SONIC_GATE_DOUBLE_COMPRESSION_H
#define SONIC_GATE_DOUBLE_COMPRESSION_H

#include "gate/dct_histogram.h"

#define SONIC_EARLIER_LEVELS 256
/* A last compression below this hides nothing that would matter, and its few levels mislead. */
#define SONIC_EARLIER_LAST_QUALITY 55

/* Multiples of the last step, absolute: [mode][n]. */
typedef struct sonic_earlier_counts {
    uint32_t of[SONIC_LATTICE_MODES][SONIC_EARLIER_LEVELS];
    int32_t step[SONIC_LATTICE_MODES]; /* last step of each mode */
} sonic_earlier_counts;

typedef struct sonic_earlier {
    int32_t quality;  /* standard table of the earlier compression, 0 when none is believed */
    float likelihood; /* sum of log likelihood ratios over the modes */
} sonic_earlier;

void sonic_earlier_find(sonic_earlier *out, const sonic_earlier_counts *counts);

#endif
