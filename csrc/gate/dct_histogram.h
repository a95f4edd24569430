/* dct_histogram.h - how often each size of DCT coefficient occurs, for every position that an 8x8 grid may have.
 *
 * JPEG leaves the coefficients of its blocks on multiples of the quantisation steps. Whoever looks at the right
 * position of the grid sees them there, whatever the file's format is now (Z. Fan, R. de Queiroz, "Identification of
 * bitmap compression history", IEEE TIP 12(2), 2003). The 14 modes with the lowest frequencies but the mean are
 * counted: they have coefficients other than zero. */
#ifndef SONIC_GATE_DCT_HISTOGRAM_H
#define SONIC_GATE_DCT_HISTOGRAM_H

#include "core/plane.h"

#define SONIC_LATTICE_PHASES 64 /* (y & 7) * 8 + (x & 7) of a block's first pixel */
#define SONIC_LATTICE_MODES 14
#define SONIC_LATTICE_BINS                                                                                             \
    640 /* of the coefficient's absolute value; the last one also holds what is larger or clipped */
#define SONIC_LATTICE_BIN 0.25f /* width, in grey levels of the orthonormal DCT */

#define SONIC_LATTICE_COUNTS (SONIC_LATTICE_PHASES * SONIC_LATTICE_MODES * SONIC_LATTICE_BINS)

/* Vertical and horizontal frequency of each mode, 0..4. */
extern const int8_t sonic_lattice_mode[SONIC_LATTICE_MODES][2];

/* Bytes of scratch memory for a picture of this width. */
size_t sonic_lattice_scratch_size(int32_t width_px);

/* counts: [phase][mode][bin], overwritten. Blocks that touch a level <= 1 or >= 254 are counted in the last bin:
 * clipping moves their coefficients off the lattice. Pictures smaller than 8x8 leave all counts at 0. cells: cells.h,
 * or NULL. counts may be NULL: then only the cells are filled, which takes a third of the time. */
struct sonic_cells;
void sonic_lattice_count(uint32_t *counts, struct sonic_cells *cells, const sonic_plane *luma, void *scratch);

#endif
