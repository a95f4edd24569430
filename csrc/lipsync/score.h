/* score.h - how well mouth and sound match at each lag, and the offset, drift and margin that follow.
 *
 * The score of a lag is a log-likelihood ratio per tick. If the pairs of canonical variates are jointly normal, of unit
 * variance and with the correlations r found in training, then log p(mouth, sound) - log p(mouth) p(sound) is, up to
 * terms that do not depend on the lag, the sum over pairs of r / (1 - r^2) times the product of the two variates. The
 * mean product is taken as their correlation over the compared ticks, so loud passages do not dominate. */
#ifndef SONIC_LIPSYNC_SCORE_H
#define SONIC_LIPSYNC_SCORE_H

#include "sonic.h"

#define SONIC_LIPSYNC_MAX_LAG_TICKS 60 /* 600 ms either way */
#define SONIC_LIPSYNC_LAGS (2 * SONIC_LIPSYNC_MAX_LAG_TICKS + 1)
#define SONIC_LIPSYNC_PEAK_RADIUS_TICKS 15 /* scores this near the peak belong to it */

/* Canonical variates [pairs, ticks] of mouth and sound; valid [ticks] is 1 where the mouth's count; the sound's count
 * up to sound_ticks. */
typedef struct sonic_lipsync_variates {
    const float *mouth, *sound, *correlations; /* correlations [pairs], 0..1 */
    const uint8_t *valid;
    int64_t ticks, sound_ticks;
    int32_t pairs;
} sonic_lipsync_variates;

/* scores [121]: the mouth's ticks begin..end against the sound k - 60 ticks later. Returns the number of ticks compared
 * at lag 0; a lag with fewer than two ticks scores 0. */
int64_t sonic_lipsync_score(double scores[SONIC_LIPSYNC_LAGS], const sonic_lipsync_variates *in, int64_t begin,
                            int64_t end);

typedef struct sonic_lipsync_peak {
    double lag_ticks; /* of the peak, by a parabola through it and its neighbours; above 0 the sound is late */
    double height;    /* its score */
    double margin;    /* height less the highest score more than 15 ticks away */
    double z_score;   /* height less the mean of those scores, in their standard deviations */
} sonic_lipsync_peak;

void sonic_lipsync_peak_find(sonic_lipsync_peak *out, const double scores[SONIC_LIPSYNC_LAGS]);

typedef struct sonic_lipsync_drift {
    double lag_ticks;   /* in the middle */
    double drift_ticks; /* change of the lag from the first window to the last */
    double gain;        /* score per window over that of the best constant lag */
} sonic_lipsync_drift;

/* Fits the straight line of lags with the highest sum of scores [windows, 121], windows equally spaced; drifts of up to
 * 100 ticks. */
void sonic_lipsync_drift_find(sonic_lipsync_drift *out, const double *scores, int64_t windows);

/* out [count]: the sound delayed by `delay` samples (below 0: advanced). The gap is silent, samples shifted past the
 * end are lost, and what remains fades in and out over `fade` samples. A delay of 0 copies. */
void sonic_lipsync_shift(float *out, const float *in, int64_t count, int64_t delay, int64_t fade);

#endif
