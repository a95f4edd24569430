/* regions.h - parts of an image that were compressed apart from the others, from the map of region_map.h. */
#ifndef SONIC_GATE_REGIONS_H
#define SONIC_GATE_REGIONS_H

#include "core/plane.h"
#include "gate/block_votes.h"
#include "gate/likelihood.h"
#include "gate/region_map.h"

/* Tiles that share a grid offset. */
typedef struct sonic_region {
    int32_t quality; /* as in sonic_compression; 0 when no table is found */
    int32_t grid_offset;
    float likelihood;        /* sum of log likelihood ratios */
    float share;             /* of the image, 0..1 */
    sonic_block_votes votes; /* on a standard table */
} sonic_region;

/* coarsest: the region with the lowest quality; all 0 when there is none. heat: [map->rows][map->columns], 0 (no trace)
 * to 255 (half of all coefficients are near zero at one offset only); may be NULL. counts: scratch, [SONIC_DCT_MODES]
 * [SONIC_DCT_BINS]. */
void sonic_regions_find(sonic_region *coarsest, uint8_t *heat, const sonic_region_map *map, const sonic_plane *luma,
                        const sonic_likelihood *tables, uint32_t *counts);

#endif
