/* resample.h - a part of the picture at the scale at which its blocks had 8 pixels again. */
#ifndef SONIC_GATE_RESAMPLE_H
#define SONIC_GATE_RESAMPLE_H

#include "core/plane.h"

#define SONIC_RESIZE_SIDE_MAX 320 /* of the part made */

/* Bytes of memory for the part and for the work. */
size_t sonic_resize_scratch_size(int32_t height_px);

/* The middle of `in`, with `step_*` pixels of it for each pixel made (0.5 .. 3) and an edge of blocks, which lies at
 * `edge_*` pixels from the left and the top of `in`, on the new picture's first pixel. Catmull-Rom's cubic (Computer
 * Aided Geometric Design, 1974). Sides are at most `side_most`, and 0 when too little fits. */
void sonic_resize_part(sonic_plane *out, const sonic_plane *in, double step_x, double step_y, double edge_x,
                       double edge_y, int32_t side_most, void *scratch);

#endif
