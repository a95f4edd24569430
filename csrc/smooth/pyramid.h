/* pyramid.h - the small planes of a frame on which motion and gains are measured. */
#ifndef SONIC_SMOOTH_PYRAMID_H
#define SONIC_SMOOTH_PYRAMID_H

#include "sonic.h"

#define SONIC_PLANES_LEVELS 4
#define SONIC_CELL_PX 8 /* side of a cell of colour, in pixels of level 0 */

typedef struct sonic_planes {
    int32_t factor; /* pixels of the frame to one of level 0 */
    int32_t levels;
    int32_t width[SONIC_PLANES_LEVELS], height[SONIC_PLANES_LEVELS];
    float *luma[SONIC_PLANES_LEVELS]; /* [height, width], (R + 2 G + B) / 4, smoothed by 1 2 1 */
    int32_t columns, rows;
    float *cells; /* [rows, columns, 3], mean colour */
} sonic_planes;

/* Sizes for frames of that size, and how many floats they take. */
size_t sonic_planes_layout(sonic_planes *planes, int32_t width_px, int32_t height_px);

/* Points the planes into `memory`, of as many floats as sonic_planes_layout said. */
void sonic_planes_place(sonic_planes *planes, float *memory);

/* Fills them from `frame` [height, width, 3]; `scratch` holds a plane of level 0. */
void sonic_planes_fill(sonic_planes *planes, float *scratch, sonic_image frame);

#endif
