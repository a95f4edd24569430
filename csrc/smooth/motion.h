/* motion.h - how the picture as a whole moved and brightened from one frame to the next.
 *
 * Translation and gain minimise the squared difference (Lucas and Kanade 1981, "An iterative image registration
 * technique"), coarse to fine, with gradients of both frames so that noise does not pull towards 0. The sums are kept
 * per block, and blocks that move otherwise than most of the picture lose their weight (iteratively reweighted; Geman
 * and McClure 1987). Blocks that did so are trusted less in the steps that follow: whoever moves in front is not taken
 * for the background. What a part of the picture brightens more than the rest is measured in tiles, on their cells that
 * stand still. */
#ifndef SONIC_SMOOTH_MOTION_H
#define SONIC_SMOOTH_MOTION_H

#include "smooth/pyramid.h"

#define SONIC_TILES 4 /* along each side of the frame */

typedef struct sonic_step {
    double shift_px[2]; /* x, y in pixels of the frame: now(p + shift) shows what before(p) showed */
    double error_px[2]; /* standard deviation of that */
    double gain[3];     /* ln(now / before) of R, G, B */
    double gain_error;  /* standard deviation of that; over 1 when there was nothing to measure */
    /* ln(now / before) of the brightness of each tile, over that of the picture; rows first */
    double tile_gain[SONIC_TILES * SONIC_TILES];
    /* Standard deviation of that; over 1 when there was nothing to measure */
    double tile_error[SONIC_TILES * SONIC_TILES];
    int32_t cut;    /* 1: another scene, or no frame before */
    int32_t repeat; /* 1: nothing moved within the picture: the frame before once more, but for shake and noise */
} sonic_step;

/* Floats of scratch that sonic_step_measure needs. */
size_t sonic_step_scratch(const sonic_planes *planes);

/* Floats of trust in parts of the picture that sonic_step_measure keeps from step to step. */
size_t sonic_step_blocks(const sonic_planes *planes);

/* `last` is the step to `before`, or NULL; with it, `trust` is what that step left, and keeps the measurement on the
 * same part of the picture. */
void sonic_step_measure(sonic_step *out, const sonic_planes *before, const sonic_planes *now, const sonic_step *last,
                        float *trust, float *scratch);

#endif
