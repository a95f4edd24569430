/* grid.h - planes at the resolution of the segmentation network, and means over boxes of them. */
#ifndef SONIC_MATTING_GRID_H
#define SONIC_MATTING_GRID_H

#include "core/plane.h"

/* The network's picture is a square whatever the frame's shape: one cell stands for width / 256 x height / 256 px. */
#define SONIC_MATTE_SIDE 256
#define SONIC_MATTE_CELLS (SONIC_MATTE_SIDE * SONIC_MATTE_SIDE)

/* The mean of each cell's frame pixels, by area: planes [3][256][256] of 0..1, red first. `frame` [height, width, 3].
 */
void sonic_grid_shrink(float *planes, sonic_image frame);

/* out[k] = means of in[k] over boxes of 2 radius_x + 1 by 2 radius_y + 1 cells, smaller at the borders; `count` planes
 * [256][256], computed in parallel. out[k] may be in[k]. `scratch` [count][256][256]. */
void sonic_grid_means(float *const *out, const float *const *in, int32_t count, const int32_t radius[2],
                      float *scratch);

/* The value between cells at column x, row y (centres of cells at whole numbers), the border repeated. */
float sonic_grid_sample(const float *plane, float x, float y);

#endif
