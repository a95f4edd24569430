#include "gate/resample.h"

#include <math.h>

#define SIDE SONIC_RESAMPLE_SIDE_MAX
#define TAPS 4
#define STEP_MAX 3

/* Source pixels and weights of each new pixel along one direction. */
typedef struct taps {
    int32_t first[SIDE];
    float weight[SIDE][TAPS];
    int32_t count;
} taps;

size_t sonic_plane_resample_scratch_size(int32_t height_px)
{
    size_t rows = (size_t)height_px < (size_t)SIDE * STEP_MAX + 8 ? (size_t)height_px : (size_t)SIDE * STEP_MAX + 8;
    return (SIDE * SIDE + rows * SIDE) * sizeof(float) + 2 * sizeof(taps);
}

static void fill_weights(float weight[TAPS], float t)
{
    weight[0] = ((-0.5f * t + 1.0f) * t - 0.5f) * t;
    weight[1] = (1.5f * t - 2.5f) * t * t + 1.0f;
    weight[2] = ((-1.5f * t + 2.0f) * t + 0.5f) * t;
    weight[3] = (0.5f * t - 0.5f) * t * t;
}

/* As many whole blocks as fit, in the middle of `side` pixels; count is 0 when fewer than 8 do. */
static void place_taps(taps *out, int32_t side, double step, double edge, int32_t side_most)
{
    double block = 8 * step, first = edge + block * ceil((2.5 - edge) / block);
    int32_t blocks = (int32_t)((side - 2.5 - first) / block), most = (side_most < SIDE ? side_most : SIDE) / 8;
    out->count = 0;
    if (!(step >= 0.3) || !(step <= STEP_MAX) || blocks < 8)
        return;
    if (blocks > most) {
        first += block * ((blocks - most) / 2);
        blocks = most;
    }
    out->count = blocks * 8;
    for (int32_t i = 0; i < out->count; i++) {
        double at = first + (i + 0.5) * step - 0.5;
        int32_t whole = (int32_t)floor(at);
        out->first[i] = whole - 1;
        fill_weights(out->weight[i], (float)(at - whole));
    }
}

static void resample_row(float *restrict out, const float *restrict row, const taps *t)
{
    for (int32_t i = 0; i < t->count; i++) {
        const float *in = row + t->first[i], *w = t->weight[i];
        out[i] = in[0] * w[0] + in[1] * w[1] + in[2] * w[2] + in[3] * w[3];
    }
}

SONIC_WIDE
static void blend_rows(float *restrict out, const float *restrict in, int32_t width, const float *restrict w)
{
    for (int32_t x = 0; x < width; x++)
        out[x] = in[x] * w[0] + in[x + width] * w[1] + in[x + 2 * width] * w[2] + in[x + 3 * width] * w[3];
}

void sonic_plane_resample(sonic_plane *out, const sonic_plane *in, double step_x, double step_y, double edge_x,
                          double edge_y, int32_t side_most, void *scratch)
{
    taps *x = scratch, *y = x + 1;
    float *result = (float *)(y + 1), *rows = result + SIDE * SIDE;
    *out = (sonic_plane){result, 0, 0};
    place_taps(x, in->width_px, step_x, edge_x, side_most);
    place_taps(y, in->height_px, step_y, edge_y, side_most);
    if (!x->count || !y->count)
        return;
    int32_t top = y->first[0], bottom = y->first[y->count - 1] + TAPS;
    for (int32_t row = top; row < bottom; row++)
        resample_row(rows + (ptrdiff_t)(row - top) * x->count, sonic_plane_row(in, row), x);
    for (int32_t i = 0; i < y->count; i++)
        blend_rows(result + (ptrdiff_t)i * x->count, rows + (ptrdiff_t)(y->first[i] - top) * x->count, x->count,
                   y->weight[i]);
    out->width_px = x->count;
    out->height_px = y->count;
}
