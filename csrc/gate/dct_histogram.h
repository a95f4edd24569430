/* dct_histogram.h - histograms of the DCT coefficients at all 64 grid offsets of an image.
 *
 * JPEG leaves the coefficients of its blocks on multiples of the quantisation steps. The histogram at the right grid
 * offset still shows those multiples, whatever the format of the file is now (Z. Fan, R. de Queiroz, "Identification of
 * bitmap compression history", IEEE TIP 12(2), 2003). */
#ifndef SONIC_GATE_DCT_HISTOGRAM_H
#define SONIC_GATE_DCT_HISTOGRAM_H

#include "core/plane.h"
#include "gate/region_map.h"

#define SONIC_DCT_COUNTS (SONIC_GRID_OFFSETS * SONIC_DCT_MODES * SONIC_DCT_BINS)

/* Bytes of scratch memory for an image of this width. */
size_t sonic_dct_histogram_scratch_size(int32_t width_px);

/* counts: [grid offset][mode][bin], overwritten; or NULL, then only the map is filled, in a third of the time.
 * map: initialised for the size of `luma`, or NULL. Blocks with a level <= 1 or >= 254 are counted in the last bin:
 * clipping moves coefficients off their multiples. Images below 8x8 pixels leave all counts at 0. */
void sonic_dct_histogram_count(uint32_t *counts, sonic_region_map *map, const sonic_plane *luma, void *scratch);

#endif
