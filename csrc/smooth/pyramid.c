#include "smooth/pyramid.h"

#include "core/parallel.h"

enum { AREA_MAX_PX = 800 * 800, SIDE_MIN_PX = 40, ROWS_AT_ONCE = 16 };

typedef struct fill_job {
    sonic_planes *planes;
    float *out;
    const float *in;
    sonic_image frame;
    int32_t level;
} fill_job;

size_t sonic_planes_layout(sonic_planes *planes, int32_t width_px, int32_t height_px)
{
    planes->factor = 1;
    while ((int64_t)(width_px / planes->factor) * (height_px / planes->factor) > AREA_MAX_PX)
        planes->factor++;
    int32_t width = width_px / planes->factor, height = height_px / planes->factor;
    size_t count = 0;
    for (planes->levels = 0; planes->levels < SONIC_PLANES_LEVELS; planes->levels++, width /= 2, height /= 2) {
        if (planes->levels && (width < SIDE_MIN_PX || height < SIDE_MIN_PX))
            break;
        planes->width[planes->levels] = width, planes->height[planes->levels] = height;
        count += (size_t)width * height;
    }
    planes->columns = planes->width[0] / SONIC_CELL_PX, planes->rows = planes->height[0] / SONIC_CELL_PX;
    return count + (size_t)planes->columns * planes->rows * 3;
}

void sonic_planes_place(sonic_planes *planes, float *memory)
{
    for (int32_t level = 0; level < planes->levels; level++) {
        planes->luma[level] = memory;
        memory += (size_t)planes->width[level] * planes->height[level];
    }
    planes->cells = memory;
}

static float luma_at(const uint8_t *p) { return (float)(p[0] + 2 * p[1] + p[2]) * 0.25f; }

static float mean_luma(sonic_image frame, int32_t x, int32_t y, int32_t factor)
{
    int32_t sum = 0;
    for (int32_t j = 0; j < factor; j++) {
        const uint8_t *p = frame.data + (y * factor + j) * frame.stride + 3 * x * factor;
        for (int32_t i = 0; i < factor; i++, p += 3)
            sum += p[0] + 2 * p[1] + p[2];
    }
    return (float)sum / (float)(4 * factor * factor);
}

static void luma_rows(int64_t begin, int64_t end, void *context)
{
    const fill_job *job = context;
    const int32_t width = job->planes->width[0], factor = job->planes->factor;
    for (int64_t y = begin; y < end; y++) {
        const uint8_t *p = job->frame.data + y * factor * job->frame.stride;
        for (int32_t x = 0; x < width; x++)
            job->out[y * width + x] = factor == 1 ? luma_at(p + 3 * x) : mean_luma(job->frame, x, (int32_t)y, factor);
    }
}

static void smooth_rows(int64_t begin, int64_t end, void *context)
{
    const fill_job *job = context;
    const int32_t width = job->planes->width[0], height = job->planes->height[0];
    for (int64_t y = begin; y < end; y++) {
        const float *b = job->in + y * width, *a = y ? b - width : b, *c = y + 1 < height ? b + width : b;
        float *out = job->out + y * width;
        for (int32_t x = 1; x < width - 1; x++)
            out[x] = ((a[x - 1] + a[x + 1] + c[x - 1] + c[x + 1]) + 2.0f * (a[x] + c[x] + b[x - 1] + b[x + 1]) +
                      4.0f * b[x]) *
                     0.0625f;
        out[0] = b[0], out[width - 1] = b[width - 1];
    }
}

static void halve_rows(int64_t begin, int64_t end, void *context)
{
    const fill_job *job = context;
    const int32_t width = job->planes->width[job->level], wide = job->planes->width[job->level - 1];
    for (int64_t y = begin; y < end; y++) {
        const float *a = job->in + 2 * y * wide, *b = a + wide;
        for (int32_t x = 0; x < width; x++)
            job->out[y * width + x] = (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]) * 0.25f;
    }
}

static void cell_mean(float out[3], sonic_image frame, int32_t left, int32_t top, int32_t side)
{
    uint32_t sum[3] = {0, 0, 0};
    for (int32_t j = 0; j < side; j++) {
        const uint8_t *p = frame.data + (top + j) * frame.stride + 3 * left;
        for (int32_t i = 0; i < side; i++, p += 3)
            sum[0] += p[0], sum[1] += p[1], sum[2] += p[2];
    }
    for (int c = 0; c < 3; c++)
        out[c] = (float)sum[c] / (float)(side * side);
}

static void cell_rows(int64_t begin, int64_t end, void *context)
{
    const fill_job *job = context;
    const int32_t side = SONIC_CELL_PX * job->planes->factor, columns = job->planes->columns;
    for (int64_t y = begin; y < end; y++)
        for (int32_t x = 0; x < columns; x++)
            cell_mean(job->out + (y * columns + x) * 3, job->frame, x * side, (int32_t)y * side, side);
}

void sonic_planes_fill(sonic_planes *planes, float *scratch, sonic_image frame)
{
    fill_job raw = {planes, scratch, NULL, frame, 0}, smooth = {planes, planes->luma[0], scratch, frame, 0};
    fill_job cells = {planes, planes->cells, NULL, frame, 0};
    sonic_parallel_for(planes->height[0], ROWS_AT_ONCE, luma_rows, &raw);
    sonic_parallel_for(planes->height[0], ROWS_AT_ONCE, smooth_rows, &smooth);
    sonic_parallel_for(planes->rows, 4, cell_rows, &cells);
    for (int32_t level = 1; level < planes->levels; level++) {
        fill_job half = {planes, planes->luma[level], planes->luma[level - 1], frame, level};
        sonic_parallel_for(planes->height[level], ROWS_AT_ONCE, halve_rows, &half);
    }
}
