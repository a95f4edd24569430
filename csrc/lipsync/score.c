#include "lipsync/score.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

#define DRIFT_STEP_CELLS 2
#define DRIFT_MAX_CELLS 100

typedef struct job {
    double *scores;
    const sonic_sync_pair *in;
    int64_t begin, end;
} job;

/* Pearson's correlation of mouth [begin, end) and the sound `lag` later, where the mouth is seen. */
static double correlation(const float *mouth, const float *sound, const uint8_t *seen, int64_t begin, int64_t end,
                          int64_t lag)
{
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = begin; i < end; i++) {
        double use = seen[i], a = use * mouth[i], b = use * sound[i + lag];
        n += use, x += a, y += b, xx += a * a, yy += b * b, xy += a * b;
    }
    double across = (n * xx - x * x) * (n * yy - y * y);
    return n >= 2 && across > 0 ? (n * xy - x * y) / sqrt(across) : 0;
}

static void score_lags(int64_t begin, int64_t end, void *context)
{
    const job *j = context;
    const sonic_sync_pair *in = j->in;
    for (int64_t k = begin; k < end; k++) {
        int64_t lag = k - SONIC_SYNC_MAX_LAG_CELLS;
        int64_t first = j->begin + lag < 0 ? -lag : j->begin;
        int64_t last = j->end + lag > in->sound_cells ? in->sound_cells - lag : j->end;
        double sum = 0;
        for (int32_t p = 0; p < in->pairs; p++) {
            double r = in->correlations[p];
            sum += r / (1 - r * r) *
                   correlation(in->mouth + p * in->cells, in->sound + p * in->cells, in->seen, first, last, lag);
        }
        j->scores[k] = sum;
    }
}

int64_t sonic_sync_score(double scores[SONIC_SYNC_LAGS], const sonic_sync_pair *in, int64_t begin, int64_t end)
{
    job j = {scores, in, begin < 0 ? 0 : begin, end > in->cells ? in->cells : end};
    int64_t compared = 0;
    for (int64_t i = j.begin; i < j.end && i < in->sound_cells; i++)
        compared += in->seen[i];
    sonic_parallel_for(SONIC_SYNC_LAGS, 16, score_lags, &j);
    return compared;
}

static void describe_far(sonic_sync_peak *out, const double *scores, int best)
{
    double sum = 0, squares = 0, highest = -INFINITY;
    int far = 0;
    for (int k = 0; k < SONIC_SYNC_LAGS; k++) {
        if (k >= best - SONIC_SYNC_SAME_PEAK_CELLS && k <= best + SONIC_SYNC_SAME_PEAK_CELLS)
            continue;
        sum += scores[k], squares += scores[k] * scores[k], far++;
        highest = scores[k] > highest ? scores[k] : highest;
    }
    double mean = sum / far, variance = squares / far - mean * mean;
    out->margin = scores[best] - highest;
    out->distance = variance > 1e-18 ? (scores[best] - mean) / sqrt(variance) : 0;
}

void sonic_sync_peak_find(sonic_sync_peak *out, const double scores[SONIC_SYNC_LAGS])
{
    int best = 0;
    for (int k = 1; k < SONIC_SYNC_LAGS; k++)
        best = scores[k] > scores[best] ? k : best;
    double part = 0;
    if (best > 0 && best < SONIC_SYNC_LAGS - 1) {
        double bend = scores[best - 1] - 2 * scores[best] + scores[best + 1];
        part = bend < 0 ? 0.5 * (scores[best - 1] - scores[best + 1]) / bend : 0;
    }
    out->lag_cells = best - SONIC_SYNC_MAX_LAG_CELLS + part;
    out->height = scores[best];
    describe_far(out, scores, best);
}

/* Sum over windows of the scores along a line; -INFINITY when it leaves the range. */
static double along_line(const double *scores, int64_t windows, double middle, double drift)
{
    double sum = 0;
    for (int64_t w = 0; w < windows; w++) {
        double at = middle + SONIC_SYNC_MAX_LAG_CELLS + drift * ((double)w / (double)(windows - 1) - 0.5);
        int64_t k = (int64_t)floor(at + 0.5);
        if (k < 0 || k >= SONIC_SYNC_LAGS)
            return -INFINITY;
        sum += scores[w * SONIC_SYNC_LAGS + k];
    }
    return sum;
}

void sonic_sync_drift_find(sonic_sync_drift *out, const double *scores, int64_t windows)
{
    double level = -INFINITY, best = -INFINITY;
    memset(out, 0, sizeof *out);
    if (windows < 2)
        return;
    for (int drift = -DRIFT_MAX_CELLS; drift <= DRIFT_MAX_CELLS; drift += DRIFT_STEP_CELLS)
        for (int middle = -SONIC_SYNC_MAX_LAG_CELLS; middle <= SONIC_SYNC_MAX_LAG_CELLS; middle++) {
            double sum = along_line(scores, windows, middle, drift);
            if (drift == 0 && sum > level)
                level = sum;
            if (sum > best)
                best = sum, out->lag_cells = middle, out->cells = drift;
        }
    out->gain = (best - level) / (double)windows;
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

void sonic_sync_move(float *out, const float *in, int64_t count, int64_t later, int64_t fade)
{
    int64_t shift = later > count    ? count
                    : later < -count ? -count
                                     : later,
            left = count - (shift < 0 ? -shift : shift);
    float *piece = out + (shift > 0 ? shift : 0);
    memset(out, 0, (size_t)count * sizeof *out);
    memcpy(piece, in + (shift < 0 ? -shift : 0), (size_t)left * sizeof *out);
    if (shift != 0)
        fade_ends(piece, left, fade);
}
