/* resample.h - the middle of a plane, resampled to the scale at which its blocks have 8 pixels. */
#ifndef SONIC_GATE_RESAMPLE_H
#define SONIC_GATE_RESAMPLE_H

#include "core/plane.h"

#define SONIC_RESAMPLE_SIDE_MAX 320 /* of the result, pixels */

/* Bytes of scratch memory, the result included. */
size_t sonic_plane_resample_scratch_size(int32_t height_px);

/* out: whole blocks from the middle of `in`, at most `side_most` pixels a side, on the grid from the first pixel; its
 * data lie in `scratch`, and its sides are 0 when fewer than 8 blocks fit. step_*: pixels of `in` for each pixel of
 * `out`, 0.3 to 3. edge_*: a block edge in `in`, pixels from the left and the top. The kernel is the Catmull-Rom cubic
 * (Computer Aided Geometric Design, 1974). */
void sonic_plane_resample(sonic_plane *out, const sonic_plane *in, double step_x, double step_y, double edge_x,
                          double edge_y, int32_t side_most, void *scratch);

#endif
