/* plane.h - one plane of a picture that was quantised in 8x8 blocks: what compression did to it taken back, as far as
 * the file allows.
 *
 * Every block's coefficient was somewhere in the interval of one step around the multiple that was kept. The repaired
 * plane is the shrunken one (repair_shrink.h) with its coefficients brought back into the middle part of those
 * intervals: it could have been compressed to the same file. */
#ifndef SONIC_REPAIR_PLANE_H
#define SONIC_REPAIR_PLANE_H

#include "core/plane.h"

typedef struct sonic_repair_grid {
    float steps[64];           /* [vertical frequency][horizontal], levels of the orthonormal DCT, > 0 */
    int32_t row_px, column_px; /* 0..7, where the first whole block begins */
} sonic_repair_grid;

/* out: the size of `in`, which it must not be. Blocks that the edge of the picture cuts are shrunken only. Asks the
 * watch between bands; SONIC_ERROR_MEMORY, SONIC_ERROR_CANCELLED. The same on any number of threads. */
sonic_status sonic_repair_plane(const sonic_plane *out, const sonic_plane *in, const sonic_repair_grid *grid);

#endif
