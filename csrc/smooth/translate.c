#include "smooth/translate.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

enum { BEFORE = 3, ROWS_AT_ONCE = 32 };

typedef struct shift_job {
    float *out;
    const float *in;
    int32_t width, height, channels, whole;
    float taps[SONIC_SHIFT_TAPS];
} shift_job;

int32_t sonic_shift_taps(float taps[SONIC_SHIFT_TAPS], double at)
{
    const double pi = 3.14159265358979323846;
    double whole = floor(at), sum = 0.0, value[SONIC_SHIFT_TAPS];
    for (int k = 0; k < SONIC_SHIFT_TAPS; k++) {
        double x = pi * (at - whole + BEFORE - k);
        value[k] = fabs(x) < 1e-9 ? 1.0 : 4.0 * sin(x) * sin(x / 4.0) / (x * x);
        sum += value[k];
    }
    for (int k = 0; k < SONIC_SHIFT_TAPS; k++)
        taps[k] = (float)(value[k] / sum);
    return (int32_t)whole;
}

static int32_t clamp(int32_t value, int32_t most) { return value < 0 ? 0 : value > most ? most : value; }

static void weigh(float *out, const float *const in[SONIC_SHIFT_TAPS], const float t[SONIC_SHIFT_TAPS], int32_t count)
{
    const float *a = in[0], *b = in[1], *c = in[2], *d = in[3], *e = in[4], *f = in[5], *g = in[6], *h = in[7];
    for (int32_t i = 0; i < count; i++)
        out[i] = (t[0] * a[i] + t[1] * b[i]) + (t[2] * c[i] + t[3] * d[i]) + (t[4] * e[i] + t[5] * f[i]) +
                 (t[6] * g[i] + t[7] * h[i]);
}

static void edge_pixel(float *out, const float *row, const shift_job *job, int32_t x)
{
    for (int32_t c = 0; c < job->channels; c++) {
        float sum = 0.0f;
        for (int k = 0; k < SONIC_SHIFT_TAPS; k++)
            sum += job->taps[k] * row[clamp(x + job->whole + k - BEFORE, job->width - 1) * job->channels + c];
        out[x * job->channels + c] = sum;
    }
}

static void shift_columns(int64_t begin, int64_t end, void *context)
{
    const shift_job *job = context;
    int32_t first = clamp(BEFORE - job->whole, job->width);
    int32_t last = clamp(job->width - SONIC_SHIFT_TAPS + BEFORE + 1 - job->whole, job->width);
    for (int64_t y = begin; y < end; y++) {
        const float *row = job->in + y * job->width * job->channels, *in[SONIC_SHIFT_TAPS];
        float *out = job->out + y * job->width * job->channels;
        if (last > first) {
            for (int k = 0; k < SONIC_SHIFT_TAPS; k++)
                in[k] = row + (ptrdiff_t)(first + job->whole + k - BEFORE) * job->channels;
            weigh(out + first * job->channels, in, job->taps, (last - first) * job->channels);
        }
        for (int32_t x = 0; x < job->width; x++)
            if (x < first || x >= last)
                edge_pixel(out, row, job, x);
    }
}

static void shift_rows(int64_t begin, int64_t end, void *context)
{
    const shift_job *job = context;
    const int32_t stride = job->width * job->channels;
    for (int64_t y = begin; y < end; y++) {
        const float *in[SONIC_SHIFT_TAPS];
        for (int k = 0; k < SONIC_SHIFT_TAPS; k++)
            in[k] = job->in + (ptrdiff_t)clamp((int32_t)y + job->whole + k - BEFORE, job->height - 1) * stride;
        weigh(job->out + y * stride, in, job->taps, stride);
    }
}

void sonic_shift(float *out, float *scratch, const float *in, int32_t width, int32_t height, int32_t channels,
                 double dx_px, double dy_px)
{
    if (dx_px == 0.0 && dy_px == 0.0) {
        memcpy(out, in, (size_t)width * height * channels * sizeof *out);
        return;
    }
    shift_job columns = {scratch, in, width, height, channels, 0, {0}},
              rows = {out, scratch, width, height, channels, 0, {0}};
    columns.whole = sonic_shift_taps(columns.taps, dx_px);
    rows.whole = sonic_shift_taps(rows.taps, dy_px);
    sonic_parallel_for(height, ROWS_AT_ONCE, shift_columns, &columns);
    sonic_parallel_for(height, ROWS_AT_ONCE, shift_rows, &rows);
}
