#include "smooth/pyramid.h"

#include "core/parallel.h"

/* Level 0 has at most that area; further levels have sides of at least SIDE_MIN_PX. */
enum { AREA_MAX_PX = 800 * 800, SIDE_MIN_PX = 40, ROWS_AT_ONCE = 16 };

typedef struct fill_job {
    sonic_pyramid *pyramid;
    float *out;
    const float *in;
    sonic_image frame;
    int32_t level;
} fill_job;

size_t sonic_pyramid_layout(sonic_pyramid *pyramid, int32_t width_px, int32_t height_px)
{
    pyramid->factor = 1;
    while ((int64_t)(width_px / pyramid->factor) * (height_px / pyramid->factor) > AREA_MAX_PX)
        pyramid->factor++;
    int32_t width = width_px / pyramid->factor, height = height_px / pyramid->factor;
    size_t count = 0;
    for (pyramid->levels = 0; pyramid->levels < SONIC_PYRAMID_LEVELS; pyramid->levels++, width /= 2, height /= 2) {
        if (pyramid->levels && (width < SIDE_MIN_PX || height < SIDE_MIN_PX))
            break;
        pyramid->width[pyramid->levels] = width, pyramid->height[pyramid->levels] = height;
        count += (size_t)width * height;
    }
    pyramid->columns = pyramid->width[0] / SONIC_PYRAMID_BLOCK_PX,
    pyramid->rows = pyramid->height[0] / SONIC_PYRAMID_BLOCK_PX;
    return count + (size_t)pyramid->columns * pyramid->rows * 3;
}

void sonic_pyramid_place(sonic_pyramid *pyramid, float *memory)
{
    for (int32_t level = 0; level < pyramid->levels; level++) {
        pyramid->luma[level] = memory;
        memory += (size_t)pyramid->width[level] * pyramid->height[level];
    }
    pyramid->blocks = memory;
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
    const int32_t width = job->pyramid->width[0], factor = job->pyramid->factor;
    for (int64_t y = begin; y < end; y++) {
        const uint8_t *p = job->frame.data + y * factor * job->frame.stride;
        for (int32_t x = 0; x < width; x++)
            job->out[y * width + x] = factor == 1 ? luma_at(p + 3 * x) : mean_luma(job->frame, x, (int32_t)y, factor);
    }
}

static void filter_rows(int64_t begin, int64_t end, void *context)
{
    const fill_job *job = context;
    const int32_t width = job->pyramid->width[0], height = job->pyramid->height[0];
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
    const int32_t width = job->pyramid->width[job->level], wide = job->pyramid->width[job->level - 1];
    for (int64_t y = begin; y < end; y++) {
        const float *a = job->in + 2 * y * wide, *b = a + wide;
        for (int32_t x = 0; x < width; x++)
            job->out[y * width + x] = (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]) * 0.25f;
    }
}

static void block_mean(float out[3], sonic_image frame, int32_t left, int32_t top, int32_t side)
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

static void block_rows(int64_t begin, int64_t end, void *context)
{
    const fill_job *job = context;
    const int32_t side = SONIC_PYRAMID_BLOCK_PX * job->pyramid->factor, columns = job->pyramid->columns;
    for (int64_t y = begin; y < end; y++)
        for (int32_t x = 0; x < columns; x++)
            block_mean(job->out + (y * columns + x) * 3, job->frame, x * side, (int32_t)y * side, side);
}

void sonic_pyramid_fill(sonic_pyramid *pyramid, float *scratch, sonic_image frame)
{
    fill_job raw = {pyramid, scratch, NULL, frame, 0}, filtered = {pyramid, pyramid->luma[0], scratch, frame, 0};
    fill_job blocks = {pyramid, pyramid->blocks, NULL, frame, 0};
    sonic_parallel_for(pyramid->height[0], ROWS_AT_ONCE, luma_rows, &raw);
    sonic_parallel_for(pyramid->height[0], ROWS_AT_ONCE, filter_rows, &filtered);
    sonic_parallel_for(pyramid->rows, 4, block_rows, &blocks);
    for (int32_t level = 1; level < pyramid->levels; level++) {
        fill_job half = {pyramid, pyramid->luma[level], pyramid->luma[level - 1], frame, level};
        sonic_parallel_for(pyramid->height[level], ROWS_AT_ONCE, halve_rows, &half);
    }
}
