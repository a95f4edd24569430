/* plane.h - removes JPEG artefacts from one plane.
 *
 * Each original coefficient lay in the interval of one step around the multiple that was stored. The plane is denoised
 * (dct_shrinkage.h), then each coefficient of its own blocks is clamped to the middle part of that interval:
 * compressing the result again could give the same file.
 *
 * Files of csrc/repair include csrc/gate (quality.h, jpeg.h, jpeg_reader.h); the gate does not include repair. */
#ifndef SONIC_REPAIR_PLANE_H
#define SONIC_REPAIR_PLANE_H

#include "core/plane.h"

typedef struct sonic_repair_grid {
    float steps[64];           /* [vertical frequency][horizontal], levels of the orthonormal DCT, > 0 */
    int32_t row_px, column_px; /* 0..7, of the first whole block */
} sonic_repair_grid;

/* out: the size of `in`, in other memory. Blocks cut by the border are denoised without clamping. Polls the progress
 * callback between bands of tiles; SONIC_ERROR_MEMORY, SONIC_ERROR_CANCELLED. Equal on any number of threads. */
sonic_status sonic_repair_plane(const sonic_plane *out, const sonic_plane *in, const sonic_repair_grid *grid);

#endif
