/* gains.h - how much the image as a whole, and each of its tiles, brightened from one frame to the next.
 *
 * Robust regression through the origin on the blocks of the pyramid: iteratively reweighted least squares with the
 * weights of Geman and McClure ("Statistical methods for tomographic image reconstruction", 1987), so blocks that move
 * or change on their own lose their weight. Blocks near black or white are not used. */
#ifndef SONIC_SMOOTH_GAINS_H
#define SONIC_SMOOTH_GAINS_H

#include "smooth/pyramid.h"

#define SONIC_GAIN_TILES 4 /* along each side of the frame */

/* An error, a standard deviation, above 1 means that nothing could be measured. */
typedef struct sonic_gains {
    double gain[3]; /* ln(now / before) of R, G, B */
    double gain_error;
    /* ln(now / before) of the luma of each tile relative to the image's, [rows, columns] */
    double tile_gain[SONIC_GAIN_TILES * SONIC_GAIN_TILES];
    double tile_error[SONIC_GAIN_TILES * SONIC_GAIN_TILES];
} sonic_gains;

/* `shift` x, y is the motion in pixels of level 0, `gain` (now / before) the initial value. */
void sonic_gains_estimate(sonic_gains *out, const sonic_pyramid *before, const sonic_pyramid *now,
                          const double shift[2], double gain);

/* The value when nothing was measured: gains 0, errors 2. */
void sonic_gains_reset(sonic_gains *out);

#endif
