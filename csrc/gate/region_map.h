/* region_map.h - a map of compression traces: near-zero DCT coefficients in each tile of 32 x 32 pixels.
 *
 * Quantisation zeroes coefficients at one grid offset only, so that offset has more of them than the other 63. A tile
 * has 16 blocks at each offset; counts are those of the 14 modes of dct_modes.h together. */
#ifndef SONIC_GATE_REGION_MAP_H
#define SONIC_GATE_REGION_MAP_H

#include <stddef.h>

#include "gate/dct_modes.h"

#define SONIC_REGION_TILE_PX 32
#define SONIC_REGION_NEAR_ZERO 4 /* bins, one grey level: how far 8-bit rounding moves a zero */

typedef struct sonic_region_map {
    uint8_t *zeros; /* [rows][columns][SONIC_GRID_OFFSETS], at most 224 */
    int32_t rows, columns;
    uint8_t *row;  /* [width_px], scratch: near-zero modes in one row of blocks */
    uint8_t *band; /* [8][width_px], scratch: the same by y & 7, summed over the rows of one tile */
    int32_t width_px, near_zero;
} sonic_region_map;

/* Bytes of memory that a map of an image of this size takes. */
size_t sonic_region_map_memory(int32_t width_px, int32_t height_px);

/* An empty map. near_zero: bins (dct_modes.h) that count as zero. memory: sonic_region_map_memory bytes, borrowed. */
void sonic_region_map_init(sonic_region_map *map, int32_t width_px, int32_t height_px, int32_t near_zero, void *memory);

/* dct_histogram.c calls these: the bins of one mode in a row of blocks, then the end of the row after all modes. */
void sonic_region_map_add(sonic_region_map *map, const int16_t *bins, int32_t count);
void sonic_region_map_end_row(sonic_region_map *map, int32_t y, int32_t last_y, int32_t count);

/* The grid offset with the most near-zero coefficients. */
typedef struct sonic_region_peak {
    int32_t grid_offset;
    float excess; /* share of near-zero coefficients above the best offset that shares neither row nor column with it */
} sonic_region_peak;

/* The peak of a tile and its neighbours, 96 x 96 pixels. */
sonic_region_peak sonic_region_map_peak(const sonic_region_map *map, int32_t row, int32_t column);

/* The excess of the image as a whole. */
float sonic_region_map_excess(const sonic_region_map *map);

#endif
