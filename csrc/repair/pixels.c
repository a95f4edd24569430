#include "repair/pixels.h"

#include <string.h>

#include "core/arena.h"
#include "core/parallel.h"
#include "repair/colour.h"
#include "repair/table_estimate.h"

#define GRAIN 16 /* rows */
#define CHUNK SONIC_UPSAMPLE_MAX

/* JFIF's Y - 128, Cb - 128 and Cr - 128 (ITU-T T.871) of R, G and B. */
static const float weights[3][4] = {{0.299f, 0.587f, 0.114f, -128.0f},
                                    {-0.168735892f, -0.331264108f, 0.5f, 0},
                                    {0.5f, -0.418687589f, -0.081312411f, 0}};

typedef struct job {
    sonic_pixels *pixels;
    const sonic_plane *plane; /* to be filled */
    const float *weight;
    const sonic_plane *luma;       /* change of luma */
    const sonic_component *chroma; /* change of chroma, [2]; or NULL */
} job;

SONIC_WIDE
static void read_bytes(float *restrict out, const uint8_t *restrict in, const float *weight, int32_t count)
{
    const float r = weight[0], g = weight[1], b = weight[2], offset = weight[3];
    for (int32_t x = 0; x < count; x++)
        out[x] = r * (float)in[3 * x] + g * (float)in[3 * x + 1] + b * (float)in[3 * x + 2] + offset;
}

SONIC_WIDE
static void read_floats(float *restrict out, const float *restrict in, const float *weight, int32_t count)
{
    const float r = 255 * weight[0], g = 255 * weight[1], b = 255 * weight[2], offset = weight[3];
    for (int32_t x = 0; x < count; x++)
        out[x] = r * in[3 * x] + g * in[3 * x + 1] + b * in[3 * x + 2] + offset;
}

static void read_rows(int64_t first, int64_t last, void *context)
{
    const job *j = context;
    const int32_t width = j->pixels->width_px;
    for (int64_t y = first; y < last; y++) {
        float *out = j->plane->data + y * width;
        if (j->pixels->bytes)
            read_bytes(out, j->pixels->bytes + y * width * 3, j->weight, width);
        else
            read_floats(out, j->pixels->floats + y * width * 3, j->weight, width);
    }
}

static void read_plane(const sonic_plane *out, sonic_pixels *pixels, int32_t which)
{
    job j = {.pixels = pixels, .plane = out, .weight = weights[which]};
    sonic_parallel_for(pixels->height_px, GRAIN, read_rows, &j);
}

/* A change of 0 leaves the value as it is. */
SONIC_WIDE
static void change_bytes(uint8_t *restrict rgb, const float *restrict change, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        const float value = (float)rgb[x] + change[x] + 0.5f;
        rgb[x] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

SONIC_WIDE
static void change_floats(float *restrict rgb, const float *restrict change, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        const float value = rgb[x] + change[x] * (1.0f / 255);
        rgb[x] = value < 0 ? 0 : value > 1 ? 1 : value;
    }
}

SONIC_WIDE
static void convert_change(float *restrict out, const float *restrict luma, const float *restrict blue,
                           const float *restrict red, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        out[3 * x] = luma[x] + 1.402f * red[x];
        out[3 * x + 1] = luma[x] - 0.344136286f * blue[x] - 0.714136286f * red[x];
        out[3 * x + 2] = luma[x] + 1.772f * blue[x];
    }
}

static void change_rows(int64_t first, int64_t last, void *context)
{
    const job *j = context;
    const int32_t width = j->pixels->width_px;
    float blue[CHUNK] = {0}, red[CHUNK] = {0}, change[3 * CHUNK];
    for (int32_t y = (int32_t)first; y < (int32_t)last; y++)
        for (int32_t begin = 0; begin < width; begin += CHUNK) {
            const int32_t count = width - begin < CHUNK ? width - begin : CHUNK;
            const ptrdiff_t at = ((ptrdiff_t)y * width + begin) * 3;
            if (j->chroma) {
                sonic_component_upsample(blue, &j->chroma[0], y, begin, count);
                sonic_component_upsample(red, &j->chroma[1], y, begin, count);
            }
            convert_change(change, sonic_plane_row(j->luma, y) + begin, blue, red, count);
            if (j->pixels->bytes)
                change_bytes(j->pixels->bytes + at, change, 3 * count);
            else
                change_floats(j->pixels->floats + at, change, 3 * count);
        }
}

/* repaired -= compressed */
SONIC_WIDE
static void subtract(float *restrict repaired, const float *restrict compressed, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        repaired[i] -= compressed[i];
}

static sonic_status repair_and_subtract(sonic_plane *out, const sonic_plane *in, const sonic_repair_grid *grid)
{
    out->width_px = in->width_px;
    out->height_px = in->height_px;
    const sonic_status status = sonic_repair_plane(out, in, grid);
    if (status == SONIC_OK)
        subtract(out->data, in->data, (int64_t)in->width_px * in->height_px);
    return status;
}

/* Replaces a chroma plane by the change of its samples. */
static sonic_status repair_chroma(sonic_component *out, sonic_plane plane, const sonic_chroma *c, float *samples_memory,
                                  float *work)
{
    sonic_plane samples = {samples_memory, 0, 0}, change = {work, 0, 0};
    sonic_chroma_sample(&samples, &plane, c, work);
    const sonic_status status = repair_and_subtract(&change, &samples, &c->grid);
    memcpy(plane.data, change.data, (size_t)samples.width_px * (size_t)samples.height_px * sizeof(float));
    *out = (sonic_component){{plane.data, samples.width_px, samples.height_px},
                             samples.width_px,
                             samples.height_px,
                             c->across,
                             c->down,
                             c->first_x_px,
                             c->first_y_px,
                             !c->smooth};
    return status;
}

/* planes: five of the image's size. */
static sonic_status repair(sonic_pixels_repair *out, sonic_pixels *pixels, const sonic_repair_grid *luma,
                           const float chroma_steps[64], sonic_plane planes[5], float *scratch)
{
    sonic_component chroma[2];
    sonic_quant_fit fit = {0, 0};
    job j = {.pixels = pixels, .luma = &planes[1]};
    read_plane(&planes[0], pixels, 0);
    sonic_quant_fit_add(&fit, &planes[0], luma);
    out->fit = sonic_quant_fit_mean(&fit);
    if (out->fit < SONIC_QUANT_FIT_CONFIDENT)
        return SONIC_OK;
    sonic_status status = repair_and_subtract(&planes[1], &planes[0], luma);
    read_plane(&planes[0], pixels, 1);
    read_plane(&planes[2], pixels, 2);
    sonic_chroma_find(&out->chroma, &planes[0], &planes[2], luma, chroma_steps, scratch);
    for (int i = 0; i < 2 && status == SONIC_OK && out->chroma.across; i++)
        status = repair_chroma(&chroma[i], planes[2 * i], &out->chroma, planes[3].data, planes[4].data);
    if (out->chroma.across)
        j.chroma = chroma;
    if (status == SONIC_OK)
        sonic_parallel_for(pixels->height_px, GRAIN, change_rows, &j);
    return status;
}

static size_t plane_bytes(const sonic_pixels *pixels)
{
    return (size_t)pixels->width_px * (size_t)pixels->height_px * sizeof(float);
}

sonic_status sonic_repair_pixels(sonic_pixels_repair *out, sonic_pixels *pixels, const sonic_repair_grid *luma,
                                 const float chroma_steps[64])
{
    sonic_arena *arena;
    sonic_plane planes[5];
    memset(out, 0, sizeof *out);
    sonic_status status = sonic_arena_create(&arena, 5 * sonic_arena_piece(plane_bytes(pixels)) +
                                                         sonic_arena_piece(SONIC_CHROMA_FIND_SCRATCH));
    if (status != SONIC_OK)
        return status;
    for (int i = 0; i < 5; i++)
        planes[i] = (sonic_plane){sonic_arena_take(arena, plane_bytes(pixels)), pixels->width_px, pixels->height_px};
    status = repair(out, pixels, luma, chroma_steps, planes, sonic_arena_take(arena, SONIC_CHROMA_FIND_SCRATCH));
    sonic_arena_free(arena);
    return status;
}

sonic_status sonic_pixels_fit(double *out, sonic_pixels *pixels, const sonic_repair_grid *luma)
{
    sonic_arena *arena;
    sonic_quant_fit fit = {0, 0};
    const sonic_status status = sonic_arena_create(&arena, sonic_arena_piece(plane_bytes(pixels)));
    if (status != SONIC_OK)
        return status;
    const sonic_plane plane = {sonic_arena_take(arena, plane_bytes(pixels)), pixels->width_px, pixels->height_px};
    read_plane(&plane, pixels, 0);
    sonic_quant_fit_add(&fit, &plane, luma);
    *out = sonic_quant_fit_mean(&fit);
    sonic_arena_free(arena);
    return SONIC_OK;
}

sonic_status sonic_pixels_estimate_table(int32_t *known, sonic_repair_grid *luma, sonic_pixels *pixels)
{
    sonic_arena *arena;
    const sonic_status status = sonic_arena_create(&arena, sonic_arena_piece(plane_bytes(pixels)) +
                                                               sonic_arena_piece(SONIC_TABLE_ESTIMATE_SCRATCH));
    if (status != SONIC_OK)
        return status;
    const sonic_plane plane = {sonic_arena_take(arena, plane_bytes(pixels)), pixels->width_px, pixels->height_px};
    read_plane(&plane, pixels, 0);
    *known = sonic_table_estimate(luma, &plane, sonic_arena_take(arena, SONIC_TABLE_ESTIMATE_SCRATCH));
    sonic_arena_free(arena);
    return SONIC_OK;
}
