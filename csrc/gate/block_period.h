/* block_period.h - the period of block edges, also of blocks that were resized since.
 *
 * Third differences of neighbouring pixels, averaged along columns and rows, show the edges of blocks as a comb (after
 * Z. Wang, A. Bovik, B. Evans, "Blind measurement of blocking artifacts in images", ICIP 2000). Its odd harmonics 1/P,
 * 3/P, 5/P count: resampling by itself leaves lines at even ones. */
#ifndef SONIC_GATE_BLOCK_PERIOD_H
#define SONIC_GATE_BLOCK_PERIOD_H

#include "core/plane.h"

#define SONIC_COMB_SHORTEST 5.0 /* periods looked for, pixels */
#define SONIC_COMB_LONGEST 17.0

#define SONIC_COMB_CANDIDATES 12 /* under a later compression the right one is seldom the first */

/* A period that the profiles show. */
typedef struct sonic_comb_candidate {
    double evidence; /* as log of the lines' height over the median */
    double period_px;
    double period_x_px, period_y_px; /* the same for each direction by itself, finer */
    double edge_x_px, edge_y_px;     /* place of a block's edge, from the left and the top, 0 .. period */
} sonic_comb_candidate;

typedef struct sonic_comb {
    double eight;                                      /* evidence at the period 8 */
    sonic_comb_candidate sixteen;                      /* the period 16, whose even lines are those of 8 */
    double contrast;                                   /* of the best other period, above the 95th percentile of all */
    sonic_comb_candidate other[SONIC_COMB_CANDIDATES]; /* best first; lines of the period 8 are left out */
} sonic_comb;

size_t sonic_comb_scratch_size(int32_t width_px, int32_t height_px);
/* has_eight: there are blocks of 8 pixels; only then are their lines left out of the search for others. */
void sonic_comb_measure(sonic_comb *out, const sonic_plane *luma, int32_t has_eight, void *scratch);

#endif
