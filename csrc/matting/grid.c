#include "matting/grid.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"
#include "core/scalar.h"

enum { SIDE = SONIC_MATTE_SIDE };

typedef struct shrink_job {
    float *planes;
    sonic_image frame;
} shrink_job;

/* How much of pixel `i` lies between `begin` and `end`. */
static float overlap(double begin, double end, int32_t i)
{
    double first = begin > i ? begin : i, last = end < i + 1.0 ? end : i + 1.0;
    return (float)(last > first ? last - first : 0);
}

/* Adds `weight` times a row of pixels to the cells of a row, [256][3]. */
static void add_row(float *sums, const uint8_t *row, int32_t width_px, float weight)
{
    double step = (double)width_px / SIDE;
    for (int32_t cell = 0; cell < SIDE; cell++) {
        double begin = cell * step, end = begin + step;
        float sum[3] = {0, 0, 0};
        for (int32_t x = (int32_t)begin; x < end && x < width_px; x++) {
            float part = overlap(begin, end, x);
            for (int c = 0; c < 3; c++)
                sum[c] += part * (float)row[3 * x + c];
        }
        for (int c = 0; c < 3; c++)
            sums[3 * cell + c] += weight * sum[c];
    }
}

static void shrink_rows(int64_t first, int64_t last, void *context)
{
    const shrink_job *job = context;
    const sonic_image frame = job->frame;
    double step = (double)frame.height_px / SIDE;
    float sums[3 * SIDE], scale = (float)(1 / (255 * step * ((double)frame.width_px / SIDE)));
    for (int64_t row = first; row < last; row++) {
        double begin = (double)row * step, end = begin + step;
        memset(sums, 0, sizeof sums);
        for (int32_t y = (int32_t)begin; y < end && y < frame.height_px; y++)
            add_row(sums, frame.data + y * frame.stride, frame.width_px, overlap(begin, end, y));
        for (int32_t cell = 0; cell < SIDE; cell++)
            for (int c = 0; c < 3; c++)
                job->planes[(size_t)c * SONIC_MATTE_CELLS + (size_t)row * SIDE + (size_t)cell] =
                    sonic_clamp01(sums[3 * cell + c] * scale);
    }
}

void sonic_grid_shrink(float *planes, sonic_image frame)
{
    shrink_job job = {planes, frame};
    sonic_parallel_for(SIDE, 32, shrink_rows, &job);
}

/* Means along a row by a running sum. */
static void row_means(float *out, const float *in, int32_t radius)
{
    double sum = 0;
    for (int32_t x = 0; x < radius && x < SIDE; x++)
        sum += in[x];
    for (int32_t x = 0; x < SIDE; x++) {
        if (x + radius < SIDE)
            sum += in[x + radius];
        if (x - radius > 0)
            sum -= in[x - radius - 1];
        int32_t begin = x > radius ? x - radius : 0, end = x + radius < SIDE ? x + radius : SIDE - 1;
        out[x] = (float)(sum / (end - begin + 1));
    }
}

/* Means along columns, all columns at once: the running sums are a row. */
SONIC_WIDE static void column_means(float *out, const float *in, int32_t radius)
{
    float sums[SIDE] = {0};
    for (int32_t y = 0; y < radius && y < SIDE; y++)
        for (int32_t x = 0; x < SIDE; x++)
            sums[x] += in[y * SIDE + x];
    for (int32_t y = 0; y < SIDE; y++) {
        const float *enter = y + radius < SIDE ? in + (y + radius) * SIDE : NULL,
                    *leave = y - radius > 0 ? in + (y - radius - 1) * SIDE : NULL;
        int32_t begin = y > radius ? y - radius : 0, end = y + radius < SIDE ? y + radius : SIDE - 1;
        float scale = 1.0f / (float)(end - begin + 1);
        for (int32_t x = 0; enter && x < SIDE; x++)
            sums[x] += enter[x];
        for (int32_t x = 0; leave && x < SIDE; x++)
            sums[x] -= leave[x];
        for (int32_t x = 0; x < SIDE; x++)
            out[y * SIDE + x] = sums[x] * scale;
    }
}

typedef struct means_job {
    float *const *out;
    const float *const *in;
    float *scratch;
    const int32_t *radius;
} means_job;

static void means_of_planes(int64_t first, int64_t last, void *context)
{
    const means_job *job = context;
    for (int64_t k = first; k < last; k++) {
        float *rows = job->scratch + (size_t)k * SONIC_MATTE_CELLS;
        for (int32_t y = 0; y < SIDE; y++)
            row_means(rows + y * SIDE, job->in[k] + y * SIDE, job->radius[0]);
        column_means(job->out[k], rows, job->radius[1]);
    }
}

void sonic_grid_means(float *const *out, const float *const *in, int32_t count, const int32_t radius[2], float *scratch)
{
    means_job job = {out, in, scratch, radius};
    sonic_parallel_for(count, 1, means_of_planes, &job);
}

float sonic_grid_sample(const float *plane, float x, float y)
{
    x = sonic_clampf(x, 0, SIDE - 1), y = sonic_clampf(y, 0, SIDE - 1);
    int32_t x0 = (int32_t)x, y0 = (int32_t)y, x1 = x0 + (x0 < SIDE - 1), y1 = y0 + (y0 < SIDE - 1);
    float u = x - (float)x0, v = y - (float)y0;
    float above = plane[y0 * SIDE + x0] + u * (plane[y0 * SIDE + x1] - plane[y0 * SIDE + x0]);
    float below = plane[y1 * SIDE + x0] + u * (plane[y1 * SIDE + x1] - plane[y1 * SIDE + x0]);
    return above + v * (below - above);
}
