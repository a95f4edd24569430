/* dct_modes.h - which DCT coefficients the gate looks at, and where an 8x8 grid may lie. */
#ifndef SONIC_GATE_DCT_MODES_H
#define SONIC_GATE_DCT_MODES_H

#include <stdint.h>

/* Where a grid of 8x8 blocks may begin: (y & 7) * 8 + (x & 7) of a block's first pixel. */
#define SONIC_GRID_OFFSETS 64

/* Whether two offsets share neither row nor column: a grid at one cuts the blocks of the other in both directions. */
static inline int sonic_grid_offsets_apart(int a, int b) { return a / 8 != b / 8 && a % 8 != b % 8; }

/* The 14 lowest frequencies without the mean: the ones that are rarely quantised to zero. */
#define SONIC_DCT_MODES 14

/* Bins of a coefficient's absolute value; the last bin also counts larger and clipped ones. */
#define SONIC_DCT_BINS 640
#define SONIC_DCT_BIN_WIDTH 0.25f /* grey levels of the orthonormal DCT */

/* {vertical, horizontal} frequency of each mode, 0..4. */
static const int8_t sonic_dct_mode[SONIC_DCT_MODES][2] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {0, 1}, {1, 1}, {2, 1},
                                                          {3, 1}, {0, 2}, {1, 2}, {2, 2}, {0, 3}, {1, 3}, {0, 4}};

#endif
