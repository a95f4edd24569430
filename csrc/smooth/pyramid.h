/* pyramid.h - the reduced images of a frame on which motion and gains are measured. */
#ifndef SONIC_SMOOTH_PYRAMID_H
#define SONIC_SMOOTH_PYRAMID_H

#include "sonic.h"

#define SONIC_PYRAMID_LEVELS 4
#define SONIC_PYRAMID_BLOCK_PX 8 /* side of a block of mean colour, in pixels of level 0 */

typedef struct sonic_pyramid {
    int32_t factor; /* pixels of the frame to one of level 0 */
    int32_t levels;
    int32_t width[SONIC_PYRAMID_LEVELS], height[SONIC_PYRAMID_LEVELS];
    float *luma[SONIC_PYRAMID_LEVELS]; /* [height, width], (R + 2 G + B) / 4; level 0 filtered by 1 2 1 both ways */
    int32_t columns, rows;             /* of the blocks */
    float *blocks;                     /* [rows, columns, 3], mean colour */
} sonic_pyramid;

/* Sets the sizes for frames of that size. Returns the number of floats they take. */
size_t sonic_pyramid_layout(sonic_pyramid *pyramid, int32_t width_px, int32_t height_px);

/* Points the levels into `memory`, of as many floats as sonic_pyramid_layout returned. */
void sonic_pyramid_place(sonic_pyramid *pyramid, float *memory);

/* Fills the levels from `frame` [height, width, 3]; `scratch` holds one image of level 0. */
void sonic_pyramid_fill(sonic_pyramid *pyramid, float *scratch, sonic_image frame);

#endif
