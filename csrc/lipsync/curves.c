#include "lipsync/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"

#define LONGEST_GAP_S 0.3
#define SHORTEST_STRETCH_CELLS 100
#define MOUTH_SMOOTH_CELLS 2.5
#define MOUTH_SLOW_CELLS 60.0
#define SOUND_SMOOTH_CELLS 1.5
#define SOUND_SLOW_CELLS 100.0
#define SOUND_RANGE 1.5f /* 60 dB in units of log_mel.h: (log10 + 4) / 4 */
#define RADIUS_MAX 400   /* four sigma of the widest */

typedef struct kernel {
    int32_t radius;
    float weights[2 * RADIUS_MAX + 1];
} kernel;

static void gauss(kernel *k, double sigma_cells)
{
    double sum = 0;
    k->radius = (int32_t)(4 * sigma_cells + 0.5);
    for (int32_t i = -k->radius; i <= k->radius; i++)
        sum += exp(-0.5 * i * i / (sigma_cells * sigma_cells));
    for (int32_t i = -k->radius; i <= k->radius; i++)
        k->weights[i + k->radius] = (float)(exp(-0.5 * i * i / (sigma_cells * sigma_cells)) / sum);
}

/* One row filtered in place; beyond its ends the end's value counts. scratch [count + 2 * radius]. */
static void smooth(float *out, const float *row, int64_t count, const kernel *k, float *scratch)
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
    kernel fine, slow;
    float *rows;
    int64_t stride, first, count, scratch_size;
    float *scratch; /* of the first row; each row has its own */
} filter;

/* Rows of curves: smoothed, then less their slow part. */
static void filter_rows(int64_t begin, int64_t end, void *context)
{
    const filter *f = context;
    for (int64_t row = begin; row < end; row++) {
        float *values = f->rows + row * f->stride + f->first;
        float *fine = f->scratch + row * f->scratch_size, *padded = fine + f->count;
        smooth(fine, values, f->count, &f->fine, padded);
        smooth(values, fine, f->count, &f->slow, padded);
        for (int64_t i = 0; i < f->count; i++)
            values[i] = fine[i] - values[i];
    }
}

static sonic_status no_memory(void)
{
    return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to compare the mouth with the sound.");
}

static filter *filter_create(float *rows, int32_t row_count, int64_t stride, double fine_cells, double slow_cells)
{
    filter *f = malloc(sizeof *f);
    if (!f)
        return NULL;
    gauss(&f->fine, fine_cells);
    gauss(&f->slow, slow_cells);
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

static sonic_status check(int64_t cells, int32_t channels)
{
    if (cells < 1 || cells > SONIC_SYNC_MAX_CELLS || channels < 1 || channels > SONIC_SYNC_MAX_CHANNELS)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Cut the clip: %lld hundredths of a second by %d channels are too many or too few.",
                          (long long)cells, (int)channels);
    return SONIC_OK;
}

static int is_seen(const sonic_sync_frames *in, int64_t i) { return isfinite(in->values[i * in->count]) != 0; }

/* Applies the basis to frame `i`. */
static void components_of(float *out, const sonic_sync_frames *in, int64_t i, const float *basis, int32_t components)
{
    for (int32_t c = 0; c < components; c++) {
        double sum = 0;
        for (int32_t k = 0; k < in->count; k++)
            sum += (double)in->values[i * in->count + k] * basis[k * components + c];
        out[c] = (float)sum;
    }
}

/* The cells between the seen frames `a` and `b`, `a` included. */
static void fill_between(float *out, uint8_t *valid, int64_t cells, const float *va, const float *vb, double ta,
                         double tb, int32_t components)
{
    double first = ceil(ta - 1e-9), last = ceil(tb - 1e-9);
    if (!(first < (double)cells)) /* times that no int64_t holds are no cells */
        return;
    for (int64_t cell = first < 0 ? 0 : (int64_t)first; cell < cells && (double)cell < last; cell++) {
        double share = tb > ta ? ((double)cell - ta) / (tb - ta) : 0;
        valid[cell] = 1;
        for (int32_t c = 0; c < components; c++)
            out[c * cells + cell] = (float)(va[c] + share * (vb[c] - va[c]));
    }
}

static void interpolate(float *out, uint8_t *valid, int64_t cells, const sonic_sync_frames *in, const float *basis,
                        int32_t components, double start_s)
{
    float values[2][SONIC_SYNC_MAX_CHANNELS];
    int64_t before = -1;
    int at = 0;
    for (int64_t i = 0; i < in->frames; i++) {
        if (!is_seen(in, i) || (before >= 0 && !(in->times_s[i] > in->times_s[before])))
            continue;
        components_of(values[at], in, i, basis, components);
        if (before >= 0 && in->scene[before] == in->scene[i] && in->times_s[i] - in->times_s[before] <= LONGEST_GAP_S)
            fill_between(out, valid, cells, values[1 - at], values[at],
                         (in->times_s[before] - start_s) * SONIC_SYNC_CELLS_PER_S,
                         (in->times_s[i] - start_s) * SONIC_SYNC_CELLS_PER_S, components);
        else if (before >= 0 && (in->times_s[i] - start_s) * SONIC_SYNC_CELLS_PER_S < (double)cells &&
                 in->times_s[i] >= start_s)
            /* A cell between two scenes parts the stretches */
            valid[(int64_t)((in->times_s[i] - start_s) * SONIC_SYNC_CELLS_PER_S)] = 0;
        before = i, at = 1 - at;
    }
}

static void clear(float *out, uint8_t *valid, int64_t cells, int64_t first, int64_t count, int32_t components)
{
    memset(valid + first, 0, (size_t)count);
    for (int32_t c = 0; c < components; c++)
        memset(out + c * cells + first, 0, (size_t)count * sizeof *out);
}

static void filter_stretches(filter *f, uint8_t *valid, int64_t cells, int32_t components)
{
    for (int64_t first = 0; first < cells;) {
        int64_t end = first;
        while (end < cells && valid[end] == valid[first])
            end++;
        if (valid[first] && end - first >= SHORTEST_STRETCH_CELLS)
            filter_run(f, components, first, end - first);
        else
            clear(f->rows, valid, cells, first, end - first, components);
        first = end;
    }
}

sonic_status sonic_sync_mouth_curves(float *out, uint8_t *valid, int64_t cells, const sonic_sync_frames *in,
                                     const float *basis, int32_t components, double start_s)
{
    sonic_status status = check(cells, components);
    if (status == SONIC_OK)
        status = check(cells, in->count);
    if (status != SONIC_OK)
        return status;
    filter *f = filter_create(out, components, cells, MOUTH_SMOOTH_CELLS, MOUTH_SLOW_CELLS);
    if (!f)
        return no_memory();
    memset(out, 0, (size_t)components * (size_t)cells * sizeof *out);
    memset(valid, 0, (size_t)cells);
    interpolate(out, valid, cells, in, basis, components, start_s);
    filter_stretches(f, valid, cells, components);
    filter_free(f);
    return SONIC_OK;
}

/* Means of three neighbouring bands; the last two of the 80 are left out. */
static float gather_bands(float *out, int64_t cells, const float *mel, int64_t mel_cells)
{
    float loudest = -INFINITY;
    for (int32_t band = 0; band < SONIC_SYNC_BANDS; band++)
        for (int64_t i = 0; i < cells; i++) {
            const float *from = mel + band * 3 * mel_cells + (i < mel_cells ? i : mel_cells - 1);
            float mean = (from[0] + from[mel_cells] + from[2 * mel_cells]) / 3;
            out[band * cells + i] = mean;
            loudest = mean > loudest ? mean : loudest;
        }
    return loudest;
}

sonic_status sonic_sync_sound_curves(float *out, int64_t cells, const float *mel, int64_t mel_cells)
{
    sonic_status status = check(cells, SONIC_SYNC_BANDS);
    if (status != SONIC_OK || mel_cells < 1)
        return status ? status
                      : sonic_fail(SONIC_ERROR_ARGUMENT, "Give a recording that contains sound: it has no samples.");
    filter *f = filter_create(out, SONIC_SYNC_BANDS, cells, SOUND_SMOOTH_CELLS, SOUND_SLOW_CELLS);
    if (!f)
        return no_memory();
    float floor_level = gather_bands(out, cells, mel, mel_cells) - SOUND_RANGE;
    for (int64_t i = 0; i < SONIC_SYNC_BANDS * cells; i++)
        out[i] = out[i] > floor_level ? out[i] : floor_level;
    filter_run(f, SONIC_SYNC_BANDS, 0, cells);
    filter_free(f);
    return SONIC_OK;
}

typedef struct projection {
    float *out;
    const float *curves;
    int64_t cells;
    const sonic_sync_weights *weights;
} projection;

static void add_shifted(float *out, const float *row, int64_t cells, int64_t shift, float weight)
{
    for (int64_t i = 0; i < cells; i++) {
        int64_t from = i + shift;
        out[i] += weight * row[from < 0 ? 0 : from >= cells ? cells - 1 : from];
    }
}

static void project_pairs(int64_t begin, int64_t end, void *context)
{
    const projection *p = context;
    const sonic_sync_weights *w = p->weights;
    for (int64_t pair = begin; pair < end; pair++) {
        float *out = p->out + pair * p->cells;
        memset(out, 0, (size_t)p->cells * sizeof *out);
        for (int32_t channel = 0; channel < w->channels; channel++)
            for (int32_t tap = 0; tap < w->taps; tap++)
                add_shifted(out, p->curves + channel * p->cells, p->cells, (int64_t)(tap - w->taps / 2) * w->step,
                            w->values[(channel * w->taps + tap) * w->pairs + pair]);
    }
}

sonic_status sonic_sync_project(float *out, const float *curves, int64_t cells, const sonic_sync_weights *weights)
{
    sonic_status status = check(cells, weights->channels);
    if (status == SONIC_OK)
        status = check(cells, weights->pairs);
    if (status != SONIC_OK)
        return status;
    projection p = {out, curves, cells, weights};
    sonic_parallel_for(weights->pairs, 1, project_pairs, &p);
    return SONIC_OK;
}
