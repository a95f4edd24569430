#include "smooth/translate.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

enum { TAPS = 8, BEFORE = 3, ROWS_AT_ONCE = 32 };

typedef struct translate_job {
    float *out;
    const float *in;
    int32_t width, height, channels, whole;
    float taps[TAPS];
} translate_job;

/* Weights of the pixels floor(at) - 3 .. floor(at) + 4 for a sample at `at`; returns floor(at). */
static int32_t find_taps(float taps[TAPS], double at)
{
    const double pi = 3.14159265358979323846;
    double whole = floor(at), sum = 0.0, value[TAPS];
    for (int k = 0; k < TAPS; k++) {
        double x = pi * (at - whole + BEFORE - k);
        value[k] = fabs(x) < 1e-9 ? 1.0 : 4.0 * sin(x) * sin(x / 4.0) / (x * x);
        sum += value[k];
    }
    for (int k = 0; k < TAPS; k++)
        taps[k] = (float)(value[k] / sum);
    return (int32_t)whole;
}

static int32_t clamp(int32_t value, int32_t most) { return value < 0 ? 0 : value > most ? most : value; }

/* out: the weighted sum of TAPS rows. */
static void weighted_sum(float *out, const float *const in[TAPS], const float t[TAPS], int32_t count)
{
    const float *a = in[0], *b = in[1], *c = in[2], *d = in[3], *e = in[4], *f = in[5], *g = in[6], *h = in[7];
    for (int32_t i = 0; i < count; i++)
        out[i] = (t[0] * a[i] + t[1] * b[i]) + (t[2] * c[i] + t[3] * d[i]) + (t[4] * e[i] + t[5] * f[i]) +
                 (t[6] * g[i] + t[7] * h[i]);
}

static void edge_pixel(float *out, const float *row, const translate_job *job, int32_t x)
{
    for (int32_t c = 0; c < job->channels; c++) {
        float sum = 0.0f;
        for (int k = 0; k < TAPS; k++)
            sum += job->taps[k] * row[clamp(x + job->whole + k - BEFORE, job->width - 1) * job->channels + c];
        out[x * job->channels + c] = sum;
    }
}

static void translate_columns(int64_t begin, int64_t end, void *context)
{
    const translate_job *job = context;
    int32_t first = clamp(BEFORE - job->whole, job->width);
    int32_t last = clamp(job->width - TAPS + BEFORE + 1 - job->whole, job->width);
    for (int64_t y = begin; y < end; y++) {
        const float *row = job->in + y * job->width * job->channels, *in[TAPS];
        float *out = job->out + y * job->width * job->channels;
        if (last > first) {
            for (int k = 0; k < TAPS; k++)
                in[k] = row + (ptrdiff_t)(first + job->whole + k - BEFORE) * job->channels;
            weighted_sum(out + first * job->channels, in, job->taps, (last - first) * job->channels);
        }
        for (int32_t x = 0; x < job->width; x++)
            if (x < first || x >= last)
                edge_pixel(out, row, job, x);
    }
}

static void translate_rows(int64_t begin, int64_t end, void *context)
{
    const translate_job *job = context;
    const int32_t stride = job->width * job->channels;
    for (int64_t y = begin; y < end; y++) {
        const float *in[TAPS];
        for (int k = 0; k < TAPS; k++)
            in[k] = job->in + (ptrdiff_t)clamp((int32_t)y + job->whole + k - BEFORE, job->height - 1) * stride;
        weighted_sum(job->out + y * stride, in, job->taps, stride);
    }
}

void sonic_translate(float *out, float *scratch, const float *in, int32_t width, int32_t height, int32_t channels,
                     double dx_px, double dy_px)
{
    if (dx_px == 0.0 && dy_px == 0.0) {
        memcpy(out, in, (size_t)width * height * channels * sizeof *out);
        return;
    }
    translate_job columns = {scratch, in, width, height, channels, 0, {0}},
                  rows = {out, scratch, width, height, channels, 0, {0}};
    columns.whole = find_taps(columns.taps, dx_px);
    rows.whole = find_taps(rows.taps, dy_px);
    sonic_parallel_for(height, ROWS_AT_ONCE, translate_columns, &columns);
    sonic_parallel_for(height, ROWS_AT_ONCE, translate_rows, &rows);
}
