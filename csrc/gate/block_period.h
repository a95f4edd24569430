/* block_period.h - the period of block edges, 8 pixels or what resampling made of them.
 *
 * Third differences of neighbouring pixels, averaged along columns and along rows, peak at block edges (after Z. Wang,
 * A. Bovik, B. Evans, "Blind measurement of blocking artifacts in images", ICIP 2000). Their spectrum then has lines at
 * multiples of 1 / period. Only the odd harmonics 1, 3 and 5 count: resampling alone leaves lines at even ones. */
#ifndef SONIC_GATE_BLOCK_PERIOD_H
#define SONIC_GATE_BLOCK_PERIOD_H

#include "core/plane.h"

/* Range of the search, pixels. */
#define SONIC_BLOCK_PERIOD_SHORTEST 5.0
#define SONIC_BLOCK_PERIOD_LONGEST 17.0

#define SONIC_BLOCK_PERIOD_CANDIDATES 12 /* below a later compression the right period seldom ranks first */

/* A period with lines in both spectra. */
typedef struct sonic_period_candidate {
    double evidence; /* mean logarithm of the lines' heights over the median */
    double period_px;
    double period_x_px, period_y_px; /* each direction by itself, refined */
    double edge_x_px, edge_y_px;     /* of a block, from the left and the top, 0 .. period */
} sonic_period_candidate;

typedef struct sonic_block_period {
    double eight;                   /* evidence of a period of 8 pixels */
    sonic_period_candidate sixteen; /* of 16 pixels, whose even harmonics are those of 8 */
    double contrast;                /* of the best candidate, above the 95th percentile of all periods */
    sonic_period_candidate candidate[SONIC_BLOCK_PERIOD_CANDIDATES]; /* best first */
} sonic_block_period;

/* Bytes of scratch memory. */
size_t sonic_block_period_scratch_size(int32_t width_px, int32_t height_px);

/* All 0 for images below 64 x 64 pixels. has_eight: the image has blocks of 8 pixels; only then are the lines of that
 * period excluded from the candidates. */
void sonic_block_period_measure(sonic_block_period *out, const sonic_plane *luma, int32_t has_eight, void *scratch);

#endif
