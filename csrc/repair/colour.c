#include "repair/colour.h"

#include "core/parallel.h"
#include "core/scalar.h"

#define CHUNK SONIC_UPSAMPLE_MAX
#define GRAIN 16 /* rows */

/* A position between two samples: index of the first, weight of the second. */
typedef struct position {
    int32_t first;
    float share;
} position;

static inline position position_of(int32_t pixel, int32_t factor, int32_t repeated)
{
    const int32_t doubled = 2 * pixel + 1 - factor, first = doubled < 0 ? -1 : doubled / (2 * factor);
    const position between = {first, (float)(doubled - first * 2 * factor) / (float)(2 * factor)},
                   on = {pixel < 0 ? -1 : pixel / factor, 0};
    return repeated ? on : between;
}

SONIC_WIDE
static void copy_row(float *restrict out, const float *restrict in, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        out[x] = in[x];
}

/* Samples interpolated between two rows, from `begin`; indices are clamped to the visible ones. */
static void interpolate_rows(float *restrict out, const sonic_component *c, int32_t y, int32_t begin, int32_t count)
{
    const position p = position_of(y - c->first_y_px, c->down, c->repeated);
    const float *a = sonic_plane_row(&c->plane, sonic_clamp_index(p.first, c->height_px)),
                *b = sonic_plane_row(&c->plane, sonic_clamp_index(p.first + 1, c->height_px));
    for (int32_t x = 0; x < count; x++) {
        const int32_t at = sonic_clamp_index(begin + x, c->width_px);
        out[x] = a[at] + (b[at] - a[at]) * p.share;
    }
}

SONIC_WIDE
static void double_row(float *restrict out, const float *restrict in, int32_t pairs)
{
    for (int32_t x = 0; x < pairs; x++) {
        out[2 * x] = 0.25f * in[x] + 0.75f * in[x + 1];
        out[2 * x + 1] = 0.75f * in[x + 1] + 0.25f * in[x + 2];
    }
}

void sonic_component_upsample(float *out, const sonic_component *c, int32_t y, int32_t begin, int32_t count)
{
    float samples[CHUNK + 3];
    if (c->across == 1 && c->down == 1) {
        copy_row(out, sonic_plane_row(&c->plane, y) + begin, count);
        return;
    }
    const int32_t first = begin / c->across - 1;
    interpolate_rows(samples, c, y, c->across == 1 ? begin : first, c->across == 1 ? count : CHUNK / c->across + 3);
    if (c->across == 1)
        copy_row(out, samples, count);
    else if (c->across == 2 && !c->first_x_px && !c->repeated)
        double_row(out, samples, CHUNK / 2);
    else
        for (int32_t x = 0; x < count; x++) {
            const position p = position_of(begin + x - c->first_x_px, c->across, c->repeated);
            const float *at = samples + (p.first - first);
            out[x] = at[0] + (at[1] - at[0]) * p.share;
        }
}

static inline uint8_t level(float value)
{
    const float rounded = value + 128.5f;
    return (uint8_t)(rounded < 0 ? 0 : rounded > 255 ? 255 : rounded);
}

SONIC_WIDE
static void convert_ycc(uint8_t *restrict rgb, const float *restrict luma, const float *restrict blue,
                        const float *restrict red, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        rgb[3 * x] = level(luma[x] + 1.402f * red[x]);
        rgb[3 * x + 1] = level(luma[x] - 0.344136286f * blue[x] - 0.714136286f * red[x]);
        rgb[3 * x + 2] = level(luma[x] + 1.772f * blue[x]);
    }
}

SONIC_WIDE
static void interleave(uint8_t *restrict rgb, const float *restrict a, const float *restrict b, const float *restrict c,
                       int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        rgb[3 * x] = level(a[x]);
        rgb[3 * x + 1] = level(b[x]);
        rgb[3 * x + 2] = level(c[x]);
    }
}

typedef struct job {
    sonic_image rgb;
    const sonic_components *components;
} job;

static void convert_rows(int64_t first, int64_t last, void *context)
{
    const job *j = context;
    const sonic_components *c = j->components;
    float rows[3][CHUNK];
    for (int32_t y = (int32_t)first; y < (int32_t)last; y++)
        for (int32_t begin = 0; begin < j->rgb.width_px; begin += CHUNK) {
            const int32_t count = j->rgb.width_px - begin < CHUNK ? j->rgb.width_px - begin : CHUNK;
            uint8_t *rgb = j->rgb.data + y * j->rgb.stride + (ptrdiff_t)begin * 3;
            for (int32_t i = 0; i < c->count; i++)
                sonic_component_upsample(rows[i], &c->component[i], y, begin, count);
            if (c->count == 1)
                interleave(rgb, rows[0], rows[0], rows[0], count);
            else if (c->ycc)
                convert_ycc(rgb, rows[0], rows[1], rows[2], count);
            else
                interleave(rgb, rows[0], rows[1], rows[2], count);
        }
}

void sonic_components_to_rgb(sonic_image rgb, const sonic_components *components)
{
    job j = {rgb, components};
    sonic_parallel_for(rgb.height_px, GRAIN, convert_rows, &j);
}
