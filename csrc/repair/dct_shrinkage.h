/* dct_shrinkage.h - denoises a tile: the DCT of its 8x8 blocks at every pixel, small coefficients set to zero, and all
 * blocks averaged.
 *
 * Artefacts of one block grid are small coefficients in the blocks of all other grids (A. Nosratinia, "Enhancement of
 * JPEG-compressed images by re-application of JPEG", J. VLSI Signal Processing 27, 2001). Each block's weight is one
 * over its number of nonzero coefficients (O. Guleryuz, "Weighted overcomplete denoising", Asilomar 2003). */
#ifndef SONIC_REPAIR_DCT_SHRINKAGE_H
#define SONIC_REPAIR_DCT_SHRINKAGE_H

#include "core/plane.h"

#define SONIC_SHRINKAGE_ROWS 96 /* of a tile, at most */
#define SONIC_SHRINKAGE_COLUMNS 248
#define SONIC_SHRINKAGE_HALO 7     /* pixels read around a tile */
#define SONIC_SHRINKAGE_STRIDE 264 /* floats from one row to the next; at least columns + 2 halos + 1 */

/* Scratch memory of one tile. Row and column 7 of `in` and `sum` are the tile's first. */
typedef struct sonic_shrinkage_tile {
    float in[(SONIC_SHRINKAGE_ROWS + 14) * SONIC_SHRINKAGE_STRIDE];  /* the plane with its halo; the caller fills it */
    float sum[(SONIC_SHRINKAGE_ROWS + 14) * SONIC_SHRINKAGE_STRIDE]; /* weighted blocks */
    float weight[(SONIC_SHRINKAGE_ROWS + 14) * SONIC_SHRINKAGE_STRIDE];
    float down[8 * SONIC_SHRINKAGE_STRIDE], across[8 * SONIC_SHRINKAGE_STRIDE], across_weight[SONIC_SHRINKAGE_STRIDE];
} sonic_shrinkage_tile;

/* Writes the denoised levels of the first `rows` rows and `columns` columns to `sum`. limits: [vertical frequency]
 * [horizontal], levels of the orthonormal DCT below which a coefficient is set to zero; [0][0] is always kept. */
void sonic_dct_shrink(sonic_shrinkage_tile *tile, int32_t rows, int32_t columns, const float limits[64]);

#endif
