#include "gate/repair_pixels.h"

#include "core/arena.h"
#include "core/parallel.h"

#define GRAIN 16 /* rows */

typedef struct job {
    sonic_pixels *pixels;
    sonic_plane was, is; /* levels - 128 */
} job;

SONIC_WIDE
static void luma_of_bytes(float *restrict out, const uint8_t *restrict in, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        out[x] = 0.299f * (float)in[3 * x] + 0.587f * (float)in[3 * x + 1] + 0.114f * (float)in[3 * x + 2] - 128.0f;
}

SONIC_WIDE
static void luma_of_shares(float *restrict out, const float *restrict in, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        out[x] = 255.0f * (0.299f * in[3 * x] + 0.587f * in[3 * x + 1] + 0.114f * in[3 * x + 2]) - 128.0f;
}

static void read_rows(int64_t first, int64_t last, void *context)
{
    const job *j = context;
    const int32_t width = j->pixels->width_px;
    for (int64_t y = first; y < last; y++) {
        float *out = j->was.data + y * width;
        if (j->pixels->bytes)
            luma_of_bytes(out, j->pixels->bytes + y * width * 3, width);
        else
            luma_of_shares(out, j->pixels->shares + y * width * 3, width);
    }
}

SONIC_WIDE
static void change_bytes(uint8_t *restrict rgb, const float *restrict was, const float *restrict is, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        for (int c = 0; c < 3; c++) {
            const float value = (float)rgb[3 * x + c] + (is[x] - was[x]) + 0.5f;
            rgb[3 * x + c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
}

SONIC_WIDE
static void change_shares(float *restrict rgb, const float *restrict was, const float *restrict is, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        for (int c = 0; c < 3; c++) {
            const float value = rgb[3 * x + c] + (is[x] - was[x]) * (1.0f / 255);
            rgb[3 * x + c] = value < 0 ? 0 : value > 1 ? 1 : value;
        }
}

static void change_rows(int64_t first, int64_t last, void *context)
{
    const job *j = context;
    const int32_t width = j->pixels->width_px;
    for (int64_t y = first; y < last; y++) {
        const float *was = j->was.data + y * width, *is = j->is.data + y * width;
        if (j->pixels->bytes)
            change_bytes(j->pixels->bytes + y * width * 3, was, is, width);
        else
            change_shares(j->pixels->shares + y * width * 3, was, is, width);
    }
}

sonic_status sonic_repair_pixels(sonic_pixels *pixels, const sonic_repair_grid *luma)
{
    const size_t bytes = (size_t)pixels->width_px * (size_t)pixels->height_px * sizeof(float);
    sonic_arena *arena;
    sonic_status status = sonic_arena_create(&arena, 2 * sonic_arena_piece(bytes));
    if (status != SONIC_OK)
        return status;
    job j = {pixels, {sonic_arena_take(arena, bytes), pixels->width_px, pixels->height_px}, {sonic_arena_take(arena, bytes), pixels->width_px, pixels->height_px}};
    sonic_parallel_for(pixels->height_px, GRAIN, read_rows, &j);
    status = sonic_repair_plane(&j.is, &j.was, luma);
    if (status == SONIC_OK)
        sonic_parallel_for(pixels->height_px, GRAIN, change_rows, &j);
    sonic_arena_free(arena);
    return status;
}
