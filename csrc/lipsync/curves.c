#include "lipsync/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"

/* The weights of tools/fit_sync.py hold for curves filtered like this: fit them again after a change. */
#define MAX_GAP_S 0.3
#define MIN_STRETCH_TICKS 100
#define MOUTH_LOWPASS_TICKS 2.5
#define MOUTH_TREND_TICKS 60.0
#define SOUND_LOWPASS_TICKS 1.5
#define SOUND_TREND_TICKS 100.0
#define SOUND_RANGE 1.5f /* 60 dB in units of log_mel.h: (log10 + 4) / 4 */
#define RADIUS_MAX 400   /* four sigma of the widest kernel */

typedef struct kernel { /* Gaussian, of unit sum */
    int32_t radius;
    float weights[2 * RADIUS_MAX + 1];
} kernel;

static void kernel_init(kernel *k, double sigma_ticks)
{
    double sum = 0;
    k->radius = (int32_t)(4 * sigma_ticks + 0.5);
    for (int32_t i = -k->radius; i <= k->radius; i++)
        sum += exp(-0.5 * i * i / (sigma_ticks * sigma_ticks));
    for (int32_t i = -k->radius; i <= k->radius; i++)
        k->weights[i + k->radius] = (float)(exp(-0.5 * i * i / (sigma_ticks * sigma_ticks)) / sum);
}

/* Convolves one row, extended by its end values. scratch [count + 2 * radius]. */
static void convolve(float *out, const float *row, int64_t count, const kernel *k, float *scratch)
{
    for (int64_t i = 0; i < count + 2 * k->radius; i++) {
        int64_t from = i - k->radius;
        scratch[i] = row[from < 0 ? 0 : from >= count ? count - 1 : from];
    }
    memset(out, 0, (size_t)count * sizeof *out);
    for (int32_t tap = 0; tap <= 2 * k->radius; tap++) {
        float weight = k->weights[tap];
        const float *shifted = scratch + tap;
        for (int64_t i = 0; i < count; i++)
            out[i] += weight * shifted[i];
    }
}

typedef struct filter {
    kernel lowpass, trend;
    float *rows;
    int64_t stride, first, count, scratch_size;
    float *scratch; /* [rows, scratch_size] */
} filter;

/* Band-pass: low-passed rows less their trend. */
static void filter_rows(int64_t begin, int64_t end, void *context)
{
    const filter *f = context;
    for (int64_t row = begin; row < end; row++) {
        float *values = f->rows + row * f->stride + f->first;
        float *lowpass = f->scratch + row * f->scratch_size, *padded = lowpass + f->count;
        convolve(lowpass, values, f->count, &f->lowpass, padded);
        convolve(values, lowpass, f->count, &f->trend, padded);
        for (int64_t i = 0; i < f->count; i++)
            values[i] = lowpass[i] - values[i];
    }
}

static sonic_status no_memory(void)
{
    return sonic_fail(SONIC_ERROR_MEMORY,
                      "Close other programs: there is not enough memory to compare mouth and sound.");
}

static filter *filter_create(float *rows, int32_t row_count, int64_t stride, double lowpass_ticks, double trend_ticks)
{
    filter *f = malloc(sizeof *f);
    if (!f)
        return NULL;
    kernel_init(&f->lowpass, lowpass_ticks);
    kernel_init(&f->trend, trend_ticks);
    f->rows = rows, f->stride = stride;
    f->scratch_size = 2 * stride + 2 * RADIUS_MAX;
    f->scratch = malloc((size_t)row_count * (size_t)f->scratch_size * sizeof *f->scratch);
    if (!f->scratch) {
        free(f);
        return NULL;
    }
    return f;
}

static void filter_free(filter *f)
{
    free(f->scratch);
    free(f);
}

static void filter_run(filter *f, int32_t row_count, int64_t first, int64_t count)
{
    f->first = first, f->count = count;
    sonic_parallel_for(row_count, 1, filter_rows, f);
}

static sonic_status check_sizes(int64_t ticks, int32_t channels)
{
    if (ticks < 1 || ticks > SONIC_LIPSYNC_MAX_TICKS || channels < 1 || channels > SONIC_LIPSYNC_MAX_CHANNELS)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Cut the clip: %lld ticks of 10 ms in %d channels are too many or too few.", (long long)ticks,
                          (int)channels);
    return SONIC_OK;
}

static int has_face(const sonic_lipsync_frames *in, int64_t i) { return isfinite(in->values[i * in->count]) != 0; }

/* out [components] of frame `i`. */
static void apply_basis(float *out, const sonic_lipsync_frames *in, int64_t i, const float *basis, int32_t components)
{
    for (int32_t c = 0; c < components; c++) {
        double sum = 0;
        for (int32_t k = 0; k < in->count; k++)
            sum += (double)in->values[i * in->count + k] * basis[k * components + c];
        out[c] = (float)sum;
    }
}

/* Interpolates the ticks from frame `a` (inclusive) to frame `b`. */
static void interpolate_between(float *out, uint8_t *valid, int64_t ticks, const float *va, const float *vb, double ta,
                                double tb, int32_t components)
{
    double first = ceil(ta - 1e-9), last = ceil(tb - 1e-9);
    if (!(first < (double)ticks)) /* also NaN and times beyond int64_t */
        return;
    for (int64_t tick = first < 0 ? 0 : (int64_t)first; tick < ticks && (double)tick < last; tick++) {
        double share = tb > ta ? ((double)tick - ta) / (tb - ta) : 0;
        valid[tick] = 1;
        for (int32_t c = 0; c < components; c++)
            out[c * ticks + tick] = (float)(va[c] + share * (vb[c] - va[c]));
    }
}

static void interpolate(float *out, uint8_t *valid, int64_t ticks, const sonic_lipsync_frames *in, const float *basis,
                        int32_t components, double start_s)
{
    float values[2][SONIC_LIPSYNC_MAX_CHANNELS];
    int64_t before = -1;
    int at = 0;
    for (int64_t i = 0; i < in->frames; i++) {
        if (!has_face(in, i) || (before >= 0 && !(in->times_s[i] > in->times_s[before])))
            continue;
        apply_basis(values[at], in, i, basis, components);
        if (before >= 0 && in->scene[before] == in->scene[i] && in->times_s[i] - in->times_s[before] <= MAX_GAP_S)
            interpolate_between(out, valid, ticks, values[1 - at], values[at],
                                (in->times_s[before] - start_s) * SONIC_LIPSYNC_TICKS_PER_S,
                                (in->times_s[i] - start_s) * SONIC_LIPSYNC_TICKS_PER_S, components);
        else if (before >= 0 && (in->times_s[i] - start_s) * SONIC_LIPSYNC_TICKS_PER_S < (double)ticks &&
                 in->times_s[i] >= start_s)
            /* One invalid tick separates the stretches of two scenes */
            valid[(int64_t)((in->times_s[i] - start_s) * SONIC_LIPSYNC_TICKS_PER_S)] = 0;
        before = i, at = 1 - at;
    }
}

static void clear_stretch(float *out, uint8_t *valid, int64_t ticks, int64_t first, int64_t count, int32_t components)
{
    memset(valid + first, 0, (size_t)count);
    for (int32_t c = 0; c < components; c++)
        memset(out + c * ticks + first, 0, (size_t)count * sizeof *out);
}

static void filter_stretches(filter *f, uint8_t *valid, int64_t ticks, int32_t components)
{
    for (int64_t first = 0; first < ticks;) {
        int64_t end = first;
        while (end < ticks && valid[end] == valid[first])
            end++;
        if (valid[first] && end - first >= MIN_STRETCH_TICKS)
            filter_run(f, components, first, end - first);
        else
            clear_stretch(f->rows, valid, ticks, first, end - first, components);
        first = end;
    }
}

sonic_status sonic_lipsync_mouth_curves(float *out, uint8_t *valid, int64_t ticks, const sonic_lipsync_frames *in,
                                        const float *basis, int32_t components, double start_s)
{
    sonic_status status = check_sizes(ticks, components);
    if (status == SONIC_OK)
        status = check_sizes(ticks, in->count);
    if (status != SONIC_OK)
        return status;
    filter *f = filter_create(out, components, ticks, MOUTH_LOWPASS_TICKS, MOUTH_TREND_TICKS);
    if (!f)
        return no_memory();
    memset(out, 0, (size_t)components * (size_t)ticks * sizeof *out);
    memset(valid, 0, (size_t)ticks);
    interpolate(out, valid, ticks, in, basis, components, start_s);
    filter_stretches(f, valid, ticks, components);
    filter_free(f);
    return SONIC_OK;
}

/* Means of three adjacent bands; the last two of the 80 are not used. Returns the largest. */
static float average_bands(float *out, int64_t ticks, const float *mel, int64_t mel_ticks)
{
    float loudest = -INFINITY;
    for (int32_t band = 0; band < SONIC_LIPSYNC_BANDS; band++)
        for (int64_t i = 0; i < ticks; i++) {
            const float *from = mel + band * 3 * mel_ticks + (i < mel_ticks ? i : mel_ticks - 1);
            float mean = (from[0] + from[mel_ticks] + from[2 * mel_ticks]) / 3;
            out[band * ticks + i] = mean;
            loudest = mean > loudest ? mean : loudest;
        }
    return loudest;
}

sonic_status sonic_lipsync_sound_curves(float *out, int64_t ticks, const float *mel, int64_t mel_ticks)
{
    sonic_status status = check_sizes(ticks, SONIC_LIPSYNC_BANDS);
    if (status != SONIC_OK || mel_ticks < 1)
        return status ? status
                      : sonic_fail(SONIC_ERROR_ARGUMENT, "Give a recording that contains sound: it has no samples.");
    filter *f = filter_create(out, SONIC_LIPSYNC_BANDS, ticks, SOUND_LOWPASS_TICKS, SOUND_TREND_TICKS);
    if (!f)
        return no_memory();
    float floor_level = average_bands(out, ticks, mel, mel_ticks) - SOUND_RANGE;
    for (int64_t i = 0; i < SONIC_LIPSYNC_BANDS * ticks; i++)
        out[i] = out[i] > floor_level ? out[i] : floor_level;
    filter_run(f, SONIC_LIPSYNC_BANDS, 0, ticks);
    filter_free(f);
    return SONIC_OK;
}

typedef struct projection {
    float *out;
    const float *curves;
    int64_t ticks;
    const sonic_lipsync_weights *weights;
} projection;

static void add_tap(float *out, const float *row, int64_t ticks, int64_t shift, float weight)
{
    for (int64_t i = 0; i < ticks; i++) {
        int64_t from = i + shift;
        out[i] += weight * row[from < 0 ? 0 : from >= ticks ? ticks - 1 : from];
    }
}

static void project_pairs(int64_t begin, int64_t end, void *context)
{
    const projection *p = context;
    const sonic_lipsync_weights *w = p->weights;
    for (int64_t pair = begin; pair < end; pair++) {
        float *out = p->out + pair * p->ticks;
        memset(out, 0, (size_t)p->ticks * sizeof *out);
        for (int32_t channel = 0; channel < w->channels; channel++)
            for (int32_t tap = 0; tap < w->taps; tap++)
                add_tap(out, p->curves + channel * p->ticks, p->ticks, (int64_t)(tap - w->taps / 2) * w->step,
                        w->values[(channel * w->taps + tap) * w->pairs + pair]);
    }
}

sonic_status sonic_lipsync_project(float *out, const float *curves, int64_t ticks, const sonic_lipsync_weights *weights)
{
    sonic_status status = check_sizes(ticks, weights->channels);
    if (status == SONIC_OK)
        status = check_sizes(ticks, weights->pairs);
    if (status != SONIC_OK)
        return status;
    projection p = {out, curves, ticks, weights};
    sonic_parallel_for(weights->pairs, 1, project_pairs, &p);
    return SONIC_OK;
}
