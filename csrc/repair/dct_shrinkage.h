/* dct_shrinkage.h - a tile of a plane, every 8x8 block of it taken to frequencies, small ones dropped, and all blocks
 * averaged.
 *
 * Compression drops what is small in the blocks of one grid; what it invents there is small in the blocks of all
 * others. (A. Nosratinia, "Enhancement of JPEG-compressed images by re-application of JPEG", J. VLSI Signal Processing
 * 27, 2001; weights by the number of kept frequencies after O. Guleryuz, "Weighted overcomplete denoising", Asilomar
 * 2003.) */
#ifndef SONIC_REPAIR_DCT_SHRINKAGE_H
#define SONIC_REPAIR_DCT_SHRINKAGE_H

#include "core/plane.h"

#define SONIC_SHRINKAGE_ROWS 96 /* of a tile, at most */
#define SONIC_SHRINKAGE_COLUMNS 248
#define SONIC_SHRINKAGE_HALO 7     /* pixels that are read around a tile */
#define SONIC_SHRINKAGE_STRIDE 264 /* floats from one row to the next; at least columns + 2 halos + 1 */

/* Scratch memory of one tile. Row and column 7 of `in` and `sum` are the tile's first. */
typedef struct sonic_shrinkage_tile {
    float in[(SONIC_SHRINKAGE_ROWS + 14) * SONIC_SHRINKAGE_STRIDE];  /* to be filled */
    float sum[(SONIC_SHRINKAGE_ROWS + 14) * SONIC_SHRINKAGE_STRIDE]; /* weighted blocks */
    float weight[(SONIC_SHRINKAGE_ROWS + 14) * SONIC_SHRINKAGE_STRIDE];
    float down[8 * SONIC_SHRINKAGE_STRIDE], across[8 * SONIC_SHRINKAGE_STRIDE], across_weight[SONIC_SHRINKAGE_STRIDE];
} sonic_shrinkage_tile;

/* Blocks begin at every pixel. limits: [vertical frequency][horizontal], levels of the orthonormal DCT below which a
 * frequency is dropped; [0][0] is kept. `sum` then holds levels in the tile's first `rows` rows and `columns` columns.
 */
void sonic_dct_shrink(sonic_shrinkage_tile *tile, int32_t rows, int32_t columns, const float limits[64]);

#endif
