#include "smooth/pixels.h"

#include <string.h>

#include "core/parallel.h"

enum { ROWS_AT_ONCE = 16 };

typedef struct gains_job {
    float *out;
    const uint8_t *in;
    int32_t width, height;
    const sonic_correction *correction;
} gains_job;

/* The position of a pixel between the centres of the tiles: the tile before it, and the fraction beyond its centre. */
static float tile_position(int64_t at, int32_t size, int32_t *tile)
{
    float place = ((float)at + 0.5f) * SONIC_GAIN_TILES / (float)size - 0.5f;
    place = place < 0.0f ? 0.0f : place > SONIC_GAIN_TILES - 1.0f ? SONIC_GAIN_TILES - 1.0f : place;
    *tile = place >= SONIC_GAIN_TILES - 1.0f ? SONIC_GAIN_TILES - 2 : (int32_t)place;
    return place - (float)*tile;
}

static void apply_tiles(float *row, const float *tiles, int64_t y, int32_t width, int32_t height)
{
    float factors[SONIC_GAIN_TILES];
    int32_t top, left;
    const float v = tile_position(y, height, &top);
    for (int k = 0; k < SONIC_GAIN_TILES; k++)
        factors[k] = tiles[top * SONIC_GAIN_TILES + k] +
                     v * (tiles[(top + 1) * SONIC_GAIN_TILES + k] - tiles[top * SONIC_GAIN_TILES + k]);
    for (int32_t x = 0; x < width; x++) {
        const float u = tile_position(x, width, &left),
                    factor = factors[left] + u * (factors[left + 1] - factors[left]);
        row[3 * x] *= factor, row[3 * x + 1] *= factor, row[3 * x + 2] *= factor;
    }
}

static void gain_rows(int64_t begin, int64_t end, void *context)
{
    const gains_job *job = context;
    const sonic_correction *c = job->correction;
    const int32_t width = job->width;
    const float r = (float)c->gain[0], g = (float)c->gain[1], b = (float)c->gain[2];
    for (int64_t y = begin; y < end; y++) {
        const uint8_t *in = job->in + y * width * 3;
        float *out = job->out + y * width * 3;
        for (int32_t x = 0; x < 3 * width; x += 3)
            out[x] = r * in[x], out[x + 1] = g * in[x + 1], out[x + 2] = b * in[x + 2];
        if (c->tiled)
            apply_tiles(out, c->tiles, y, width, job->height);
    }
}

void sonic_pixels_apply_gains(float *out, const uint8_t *in, int32_t width, int32_t height,
                              const sonic_correction *correction)
{
    gains_job job = {out, in, width, height, correction};
    sonic_parallel_for(height, ROWS_AT_ONCE, gain_rows, &job);
}

typedef struct blend_job {
    float *out;
    const float *a, *b;
    float share;
    int32_t width;
} blend_job;

static void blend_rows(int64_t begin, int64_t end, void *context)
{
    const blend_job *job = context;
    const int32_t count = 3 * job->width;
    for (int64_t y = begin; y < end; y++) {
        const float *a = job->a + y * count, *b = job->b + y * count;
        float *out = job->out + y * count;
        for (int32_t x = 0; x < count; x++)
            out[x] = a[x] + job->share * (b[x] - a[x]);
    }
}

void sonic_pixels_blend(float *out, const float *a, const float *b, float share, int32_t width, int32_t height)
{
    blend_job job = {out, a, b, share, width};
    sonic_parallel_for(height, ROWS_AT_ONCE, blend_rows, &job);
}

typedef struct round_job {
    sonic_image out;
    const float *in;
} round_job;

static void round_rows(int64_t begin, int64_t end, void *context)
{
    const round_job *job = context;
    const int32_t count = 3 * job->out.width_px;
    for (int64_t y = begin; y < end; y++) {
        const float *in = job->in + y * count;
        uint8_t *out = job->out.data + y * job->out.stride;
        for (int32_t x = 0; x < count; x++) {
            float value = in[x] + 0.5f;
            out[x] = (uint8_t)(value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value);
        }
    }
}

void sonic_pixels_round(sonic_image out, const float *in)
{
    round_job job = {out, in};
    sonic_parallel_for(out.height_px, ROWS_AT_ONCE, round_rows, &job);
}

void sonic_pixels_copy(uint8_t *out, ptrdiff_t out_stride, const uint8_t *in, ptrdiff_t in_stride, int32_t width,
                       int32_t height)
{
    for (int32_t y = 0; y < height; y++)
        memcpy(out + y * out_stride, in + y * in_stride, (size_t)width * 3);
}
