#include "lipsync/score.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

#define DRIFT_STEP_TICKS 2
#define DRIFT_MAX_TICKS 100

typedef struct score_job {
    double *scores;
    const sonic_lipsync_variates *in;
    int64_t begin, end;
} score_job;

/* Pearson correlation of the mouth at valid ticks of begin..end with the sound `lag` later. */
static double correlation(const float *mouth, const float *sound, const uint8_t *valid, int64_t begin, int64_t end,
                          int64_t lag)
{
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = begin; i < end; i++) {
        double use = valid[i], a = use * mouth[i], b = use * sound[i + lag];
        n += use, x += a, y += b, xx += a * a, yy += b * b, xy += a * b;
    }
    double across = (n * xx - x * x) * (n * yy - y * y);
    return n >= 2 && across > 0 ? (n * xy - x * y) / sqrt(across) : 0;
}

static void score_lags(int64_t begin, int64_t end, void *context)
{
    const score_job *j = context;
    const sonic_lipsync_variates *in = j->in;
    for (int64_t k = begin; k < end; k++) {
        int64_t lag = k - SONIC_LIPSYNC_MAX_LAG_TICKS;
        int64_t first = j->begin + lag < 0 ? -lag : j->begin;
        int64_t last = j->end + lag > in->sound_ticks ? in->sound_ticks - lag : j->end;
        double sum = 0;
        for (int32_t p = 0; p < in->pairs; p++) {
            double r = in->correlations[p];
            sum += r / (1 - r * r) *
                   correlation(in->mouth + p * in->ticks, in->sound + p * in->ticks, in->valid, first, last, lag);
        }
        j->scores[k] = sum;
    }
}

int64_t sonic_lipsync_score(double scores[SONIC_LIPSYNC_LAGS], const sonic_lipsync_variates *in, int64_t begin,
                            int64_t end)
{
    score_job j = {scores, in, begin < 0 ? 0 : begin, end > in->ticks ? in->ticks : end};
    int64_t compared = 0;
    for (int64_t i = j.begin; i < j.end && i < in->sound_ticks; i++)
        compared += in->valid[i];
    sonic_parallel_for(SONIC_LIPSYNC_LAGS, 16, score_lags, &j);
    return compared;
}

/* Margin and z-score against the scores outside the peak. */
static void compare_with_rest(sonic_lipsync_peak *out, const double *scores, int best)
{
    double sum = 0, squares = 0, highest = -INFINITY;
    int far = 0;
    for (int k = 0; k < SONIC_LIPSYNC_LAGS; k++) {
        if (k >= best - SONIC_LIPSYNC_PEAK_RADIUS_TICKS && k <= best + SONIC_LIPSYNC_PEAK_RADIUS_TICKS)
            continue;
        sum += scores[k], squares += scores[k] * scores[k], far++;
        highest = scores[k] > highest ? scores[k] : highest;
    }
    double mean = sum / far, variance = squares / far - mean * mean;
    out->margin = scores[best] - highest;
    out->z_score = variance > 1e-18 ? (scores[best] - mean) / sqrt(variance) : 0;
}

void sonic_lipsync_peak_find(sonic_lipsync_peak *out, const double scores[SONIC_LIPSYNC_LAGS])
{
    int best = 0;
    for (int k = 1; k < SONIC_LIPSYNC_LAGS; k++)
        best = scores[k] > scores[best] ? k : best;
    double fraction = 0;
    if (best > 0 && best < SONIC_LIPSYNC_LAGS - 1) {
        double curvature = scores[best - 1] - 2 * scores[best] + scores[best + 1];
        fraction = curvature < 0 ? 0.5 * (scores[best - 1] - scores[best + 1]) / curvature : 0;
    }
    out->lag_ticks = best - SONIC_LIPSYNC_MAX_LAG_TICKS + fraction;
    out->height = scores[best];
    compare_with_rest(out, scores, best);
}

/* Sum of the scores along a line of lags; -INFINITY when the line leaves the range. */
static double sum_along_line(const double *scores, int64_t windows, double middle, double drift)
{
    double sum = 0;
    for (int64_t w = 0; w < windows; w++) {
        double at = middle + SONIC_LIPSYNC_MAX_LAG_TICKS + drift * ((double)w / (double)(windows - 1) - 0.5);
        int64_t k = (int64_t)floor(at + 0.5);
        if (k < 0 || k >= SONIC_LIPSYNC_LAGS)
            return -INFINITY;
        sum += scores[w * SONIC_LIPSYNC_LAGS + k];
    }
    return sum;
}

void sonic_lipsync_drift_find(sonic_lipsync_drift *out, const double *scores, int64_t windows)
{
    double best_constant = -INFINITY, best = -INFINITY;
    memset(out, 0, sizeof *out);
    if (windows < 2)
        return;
    for (int drift = -DRIFT_MAX_TICKS; drift <= DRIFT_MAX_TICKS; drift += DRIFT_STEP_TICKS)
        for (int middle = -SONIC_LIPSYNC_MAX_LAG_TICKS; middle <= SONIC_LIPSYNC_MAX_LAG_TICKS; middle++) {
            double sum = sum_along_line(scores, windows, middle, drift);
            if (drift == 0 && sum > best_constant)
                best_constant = sum;
            if (sum > best)
                best = sum, out->lag_ticks = middle, out->drift_ticks = drift;
        }
    out->gain = (best - best_constant) / (double)windows;
}

static void fade_ends(float *piece, int64_t count, int64_t fade)
{
    int64_t length = fade < count / 2 ? fade : count / 2;
    for (int64_t i = 0; i < length; i++) {
        float gain = ((float)i + 0.5f) / (float)length;
        piece[i] *= gain;
        piece[count - 1 - i] *= gain;
    }
}

void sonic_lipsync_shift(float *out, const float *in, int64_t count, int64_t delay, int64_t fade)
{
    int64_t shift = delay > count    ? count
                    : delay < -count ? -count
                                     : delay,
            kept = count - (shift < 0 ? -shift : shift);
    float *piece = out + (shift > 0 ? shift : 0);
    memset(out, 0, (size_t)count * sizeof *out);
    memcpy(piece, in + (shift < 0 ? -shift : 0), (size_t)kept * sizeof *out);
    if (shift != 0)
        fade_ends(piece, kept, fade);
}
