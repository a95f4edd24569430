/* score.h - how well mouth and sound fit at each lag, and what that says.
 *
 * The score of a lag is the logarithm of a likelihood ratio per cell: were the pairs of curves jointly normal with the
 * correlations that training found, and each curve of unit variance, then log p(mouth, sound) - log p(mouth) p(sound)
 * would be, up to what does not depend on the lag, the sum over pairs of r / (1 - r^2) times the product of the two
 * curves. The product's mean is taken as their correlation over the cells compared, so that a loud passage weighs no
 * more than a quiet one. */
#ifndef SONIC_LIPSYNC_SCORE_H
#define SONIC_LIPSYNC_SCORE_H

#include "sonic.h"

#define SONIC_SYNC_MAX_LAG_CELLS 60 /* 600 ms either way */
#define SONIC_SYNC_LAGS (2 * SONIC_SYNC_MAX_LAG_CELLS + 1)
#define SONIC_SYNC_SAME_PEAK_CELLS 15

/* Curves [pairs, cells] of mouth and sound, `seen` [cells] where the mouth's count, sound_cells of the sound's. */
typedef struct sonic_sync_pair {
    const float *mouth, *sound, *correlations; /* correlations [pairs], 0..1 */
    const uint8_t *seen;
    int64_t cells, sound_cells;
    int32_t pairs;
} sonic_sync_pair;

/* scores [121]: of the cells begin..end of the mouth with the sound that comes k - 60 cells later. Returns the cells
 * compared at lag 0; a lag with fewer than two cells scores 0. */
int64_t sonic_sync_score(double scores[SONIC_SYNC_LAGS], const sonic_sync_pair *in, int64_t begin, int64_t end);

typedef struct sonic_sync_peak {
    /* Of the highest score, by a parabola through it and its neighbours; above 0 the sound comes after the mouth */
    double lag_cells;
    double height;   /* its score */
    double margin;   /* less the highest that is more than 15 cells away */
    double distance; /* less the mean of those farther away, in their standard deviations */
} sonic_sync_peak;

void sonic_sync_peak_find(sonic_sync_peak *out, const double scores[SONIC_SYNC_LAGS]);

typedef struct sonic_sync_drift {
    double lag_cells; /* in the middle */
    double cells;     /* from the first window to the last */
    double gain;      /* score a window over that of the best constant lag */
} sonic_sync_drift;

/* The straight line through windows' scores [windows, 121], equally far apart, with the highest sum; up to 100 cells of
 * drift. */
void sonic_sync_drift_find(sonic_sync_drift *out, const double *scores, int64_t windows);

/* out [count]: the sound moved by `later` samples (below 0: earlier); the gap is silent, what is moved over the end is
 * lost, and both ends of what is left rise and fall within `fade` samples. A move by 0 copies. */
void sonic_sync_move(float *out, const float *in, int64_t count, int64_t later, int64_t fade);

#endif
