#include "watermark/canonical.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/scalar.h"
#include "watermark/chips.h"

enum { SIDE_MAX_PX = 8192, LENGTH_MAX = 512, GRAIN = 16 };

/* Means over [i, i + 1) * step. */
static void fill_shrinking(sonic_axis *axis, double step)
{
    for (int32_t i = 0; i < axis->size; i++) {
        const double begin = fmin(i * step, axis->in_px - 1.0), end = fmin((i + 1) * step, axis->in_px);
        const int32_t first = (int32_t)begin;
        int32_t count = (int32_t)ceil(end) - first;
        count = count < 1 ? 1 : count > axis->taps ? axis->taps : count;
        double sum = 0;
        for (int32_t k = 0; k < count; k++)
            sum += fmax(0.0, fmin(end, first + k + 1.0) - fmax(begin, first + k));
        for (int32_t k = 0; k < count; k++)
            axis->weights[i * axis->taps + k] =
                sum > 0 ? (float)(fmax(0.0, fmin(end, first + k + 1.0) - fmax(begin, first + k)) / sum)
                        : 1.0f / (float)count;
        axis->first[i] = first, axis->count[i] = count;
    }
}

static void fill_growing(sonic_axis *axis, double step)
{
    for (int32_t i = 0; i < axis->size; i++) {
        const double at = sonic_clamp((i + 0.5) * step - 0.5, 0, axis->in_px - 1.0);
        const int32_t first = (int32_t)at;
        axis->first[i] = first, axis->count[i] = first + 1 < axis->in_px ? 2 : 1;
        axis->weights[i * axis->taps + 1] = (float)(at - first);
        axis->weights[i * axis->taps] = axis->count[i] == 2 ? 1.0f - (float)(at - first) : 1.0f;
    }
}

static sonic_status fill_axis(sonic_axis *axis, int32_t in_px, double step)
{
    const double size = floor(in_px / step + 0.5);
    axis->size = size < 1 ? 1 : size > LENGTH_MAX ? LENGTH_MAX : (int32_t)size;
    axis->in_px = in_px;
    axis->taps = step > 1 ? (int32_t)ceil(step) + 1 : 2;
    axis->first = calloc((size_t)axis->size, sizeof *axis->first);
    axis->count = calloc((size_t)axis->size, sizeof *axis->count);
    axis->weights = calloc((size_t)axis->size * (size_t)axis->taps, sizeof *axis->weights);
    if (!axis->first || !axis->count || !axis->weights)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is not enough memory to read a watermark.");
    if (step > 1)
        fill_shrinking(axis, step);
    else
        fill_growing(axis, step);
    return SONIC_OK;
}

sonic_status sonic_canonical_create(sonic_canonical *canonical, int32_t width_px, int32_t height_px)
{
    if (width_px < 1 || height_px < 1 || width_px > SIDE_MAX_PX || height_px > SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Use frames with sides of 1 to %d px, not %d x %d.", SIDE_MAX_PX,
                          width_px, height_px);
    const double step = (double)(width_px < height_px ? width_px : height_px) / SONIC_CANONICAL_PX;
    canonical->width_px = width_px, canonical->height_px = height_px;
    sonic_status status = fill_axis(&canonical->x, width_px, step);
    if (!status)
        status = fill_axis(&canonical->y, height_px, step);
    if (status)
        return status;
    canonical->rows = malloc((size_t)height_px * (size_t)canonical->x.size * sizeof(float));
    return canonical->rows ? SONIC_OK
                           : sonic_fail(SONIC_ERROR_MEMORY,
                                        "Close other programs: there is not enough memory to read a watermark.");
}

static void free_axis(sonic_axis *axis) { free(axis->first), free(axis->count), free(axis->weights); }

void sonic_canonical_free(sonic_canonical *canonical)
{
    free_axis(&canonical->x), free_axis(&canonical->y);
    free(canonical->rows);
    memset(canonical, 0, sizeof *canonical);
}

typedef struct add_job {
    float *sum;
    sonic_canonical *canonical;
    sonic_image frame;
} add_job;

static void resize_rows(int64_t begin, int64_t end, void *context)
{
    const add_job *job = context;
    const sonic_axis *x = &job->canonical->x;
    for (int64_t y = begin; y < end; y++)
        for (int32_t i = 0; i < x->size; i++) {
            const uint8_t *p = job->frame.data + y * job->frame.stride + 3 * (ptrdiff_t)x->first[i];
            const float *weights = x->weights + (ptrdiff_t)i * x->taps;
            float sum = 0;
            for (int32_t k = 0; k < x->count[i]; k++, p += 3)
                sum += weights[k] * (float)(77 * p[0] + 150 * p[1] + 29 * p[2]);
            job->canonical->rows[y * x->size + i] = sum / 256.0f;
        }
}

SONIC_WIDE static void add_row(float *out, const float *in, float weight, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        out[i] += weight * in[i];
}

static void add_columns(int64_t begin, int64_t end, void *context)
{
    const add_job *job = context;
    const sonic_axis *y = &job->canonical->y;
    const int32_t width = job->canonical->x.size;
    for (int64_t i = begin; i < end; i++)
        for (int32_t k = 0; k < y->count[i]; k++)
            add_row(job->sum + i * width, job->canonical->rows + (ptrdiff_t)(y->first[i] + k) * width,
                    y->weights[i * y->taps + k], width);
}

void sonic_canonical_add(float *sum, sonic_canonical *canonical, sonic_image frame)
{
    add_job job = {sum, canonical, frame};
    sonic_parallel_for(canonical->height_px, GRAIN, resize_rows, &job);
    sonic_parallel_for(canonical->y.size, GRAIN, add_columns, &job);
}
