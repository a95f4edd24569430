/* region_map.h - how many coefficients are near zero in each part of the picture, for every position of the grid: a map
 * of compression.
 *
 * A cell has 32 x 32 pixels and, for each of the 64 positions, 16 blocks. Counts are those of the 14 modes together. */
#ifndef SONIC_GATE_REGION_MAP_H
#define SONIC_GATE_REGION_MAP_H

#include "gate/likelihood.h"
#include "core/plane.h"

#define SONIC_CELL_PX 32
#define SONIC_CELL_ZERO 4 /* bins, one level: what one compression leaves of a zero */

typedef struct sonic_cells {
    uint8_t *zeros; /* [rows][columns][64], at most 224 */
    int32_t rows, columns;
    uint8_t *row;  /* [width_px], scratch: modes near zero in one row of blocks */
    uint8_t *band; /* [8][width_px], scratch: the same summed over the rows of one cell by y & 7 */
    int32_t width_px, near_zero;
} sonic_cells;

size_t sonic_cells_memory(int32_t width_px, int32_t height_px);
/* near_zero: bins of lattice.h that count as such. */
void sonic_cells_init(sonic_cells *cells, int32_t width_px, int32_t height_px, int32_t near_zero, void *memory);

/* For lattice.c: the bins of one mode of a row of blocks; then, after all modes, the end of the row. */
void sonic_cells_add(sonic_cells *cells, const int16_t *bins, int32_t count);
void sonic_cells_end_row(sonic_cells *cells, int32_t y, int32_t last_y, int32_t count);

/* A part of the picture whose grid is not that of the rest, or the rest's. */
typedef struct sonic_region {
    int32_t quality; /* as sonic_compression's; 0 when no table is believed */
    int32_t phase;
    float likelihood;
    float share;    /* of the picture */
    int32_t box[4]; /* x0, y0, x1, y1 in pixels */
} sonic_region;

/* heat: [rows][columns], 0 (no trace) .. 255 (all coefficients near zero at one position only); may be NULL.
 * coarsest: the region with the lowest quality that is believed. */
void sonic_cells_read(sonic_region *coarsest, uint8_t *heat, const sonic_cells *cells, const sonic_plane *luma,
                      const sonic_likelihood *tables, uint32_t *counts);

/* The same question about the picture as a whole: how much larger the share of coefficients near zero is at the best
 * position than at the next one that shares neither row nor column with it. */
float sonic_cells_excess(const sonic_cells *cells);

#endif
