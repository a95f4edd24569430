#include "smooth/gains.h"

#include <math.h>

/* Residuals in levels at which a block has a quarter of its weight, from pass to pass. Chosen by hand on the clips of
 * bench/smooth.py, as are the other constants of this file. */
static const double image_scales[] = {4.0, 2.0, 1.0, 0.7, 0.5, 0.5};
static const double tile_scales[] = {16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.5};
/* Blocks outside are close to clipping, where a gain does not show. */
static const float min_level = 20.0f, max_level = 232.0f;
/* Sums of weights below which nothing is measured; of a tile, also relative to its blocks. */
static const double min_image_weight = 8.0, min_tile_weight = 2.0, min_tile_share = 0.3;

static double block_luma(const float *block) { return 0.25 * block[0] + 0.5 * block[1] + 0.25 * block[2]; }

static int is_usable(const float *block)
{
    for (int c = 0; c < 3; c++)
        if (block[c] < min_level || block[c] > max_level)
            return 0;
    return 1;
}

/* The block of `now` at x, y, bilinear: accurate enough for means over 8 x 8 pixels. */
static void sample_block(float out[3], const sonic_pyramid *now, double x, double y)
{
    int32_t i = (int32_t)x, j = (int32_t)y;
    float u = (float)(x - i), v = (float)(y - j);
    const float *p = now->blocks + ((size_t)j * now->columns + i) * 3, *q = p + (size_t)now->columns * 3;
    for (int c = 0; c < 3; c++)
        out[c] = (1 - v) * ((1 - u) * p[c] + u * p[c + 3]) + v * ((1 - u) * q[c] + u * q[c + 3]);
}

/* Weighted sums of a regression b = ratio * a, by channel: ab and aa; squared residuals; weights and their squares. */
typedef struct gain_sums {
    double top[3], bottom[3], residual, weight, squares;
} gain_sums;

static void add_block(gain_sums *s, const float *a, const float *b, const double ratio[3], double scale)
{
    double squared = 0;
    for (int c = 0; c < 3; c++)
        squared += (b[c] - ratio[c] * a[c]) * (b[c] - ratio[c] * a[c]);
    double t = squared / (3 * scale * scale), w = 1.0 / ((1.0 + t) * (1.0 + t));
    for (int c = 0; c < 3; c++)
        s->top[c] += w * a[c] * b[c], s->bottom[c] += w * a[c] * a[c];
    s->residual += w * squared / 3, s->weight += w, s->squares += w * w;
}

static gain_sums sum_image(const sonic_pyramid *before, const sonic_pyramid *now, const double shift[2],
                           const double ratio[3], double scale)
{
    gain_sums sums = {{0}, {0}, 0, 0, 0};
    for (int32_t j = 1; j < now->rows - 1; j++)
        for (int32_t i = 1; i < now->columns - 1; i++) {
            double x = i + shift[0] / SONIC_PYRAMID_BLOCK_PX, y = j + shift[1] / SONIC_PYRAMID_BLOCK_PX;
            const float *a = before->blocks + ((size_t)j * now->columns + i) * 3;
            float b[3];
            if (x < 0 || y < 0 || x >= now->columns - 1 || y >= now->rows - 1 || !is_usable(a))
                continue;
            sample_block(b, now, x, y);
            if (is_usable(b))
                add_block(&sums, a, b, ratio, scale);
        }
    return sums;
}

static void estimate_image(sonic_gains *out, const sonic_pyramid *before, const sonic_pyramid *now,
                           const double shift[2], double gain)
{
    double ratio[3] = {gain, gain, gain};
    for (size_t k = 0; k < sizeof image_scales / sizeof *image_scales; k++) {
        gain_sums s = sum_image(before, now, shift, ratio, image_scales[k]);
        if (s.weight < min_image_weight)
            return;
        for (int c = 0; c < 3; c++)
            ratio[c] = s.top[c] / s.bottom[c];
        out->gain_error = sqrt(s.residual / s.weight * (s.squares / s.weight) / s.weight / (s.bottom[1] / s.weight));
    }
    for (int c = 0; c < 3; c++)
        out->gain[c] = log(ratio[c]);
}

/* The same of luma. */
typedef struct tile_sums {
    double top, bottom, residual, weight, squares;
} tile_sums;

/* Luma of the blocks of one tile against `ratio` times that before, which has the gain of the image applied. */
static tile_sums sum_tile(const sonic_pyramid *before, const sonic_pyramid *now, const double shift[2],
                          const sonic_gains *gains, int32_t tile, double ratio, double scale)
{
    const int32_t left = tile % SONIC_GAIN_TILES * now->columns / SONIC_GAIN_TILES,
                  right = (tile % SONIC_GAIN_TILES + 1) * now->columns / SONIC_GAIN_TILES;
    const int32_t top = tile / SONIC_GAIN_TILES * now->rows / SONIC_GAIN_TILES,
                  bottom = (tile / SONIC_GAIN_TILES + 1) * now->rows / SONIC_GAIN_TILES;
    const double gain = exp(0.25 * gains->gain[0] + 0.5 * gains->gain[1] + 0.25 * gains->gain[2]);
    tile_sums sums = {0, 0, 0, 0, 0};
    for (int32_t j = top; j < bottom; j++)
        for (int32_t i = left; i < right; i++) {
            double x = i + shift[0] / SONIC_PYRAMID_BLOCK_PX, y = j + shift[1] / SONIC_PYRAMID_BLOCK_PX;
            const float *block = before->blocks + ((size_t)j * now->columns + i) * 3;
            float moved[3];
            if (x < 0 || y < 0 || x >= now->columns - 1 || y >= now->rows - 1 || !is_usable(block))
                continue;
            sample_block(moved, now, x, y);
            if (!is_usable(moved))
                continue;
            double a = gain * block_luma(block), b = block_luma(moved), t = (b - ratio * a) / scale,
                   w = 1.0 / ((1.0 + t * t) * (1.0 + t * t));
            sums.top += w * a * b, sums.bottom += w * a * a;
            sums.residual += w * t * t * scale * scale, sums.weight += w, sums.squares += w * w;
        }
    return sums;
}

static void estimate_tile(sonic_gains *out, const sonic_pyramid *before, const sonic_pyramid *now,
                          const double shift[2], int32_t tile)
{
    const double count = (double)(now->columns / SONIC_GAIN_TILES) * (now->rows / SONIC_GAIN_TILES);
    double ratio = 1.0;
    tile_sums s = {0, 0, 0, 0, 0};
    for (size_t k = 0; k < sizeof tile_scales / sizeof *tile_scales; k++) {
        s = sum_tile(before, now, shift, out, tile, ratio, tile_scales[k]);
        if (s.weight < min_tile_weight)
            return;
        ratio = s.top / s.bottom;
    }
    if (s.weight < min_tile_share * count) /* most of the tile moves */
        return;
    out->tile_gain[tile] = log(ratio);
    out->tile_error[tile] = sqrt(s.residual * s.squares / s.weight / s.weight / s.bottom);
}

void sonic_gains_reset(sonic_gains *out)
{
    *out = (sonic_gains){{0}, 2.0, {0}, {0}};
    for (int32_t tile = 0; tile < SONIC_GAIN_TILES * SONIC_GAIN_TILES; tile++)
        out->tile_error[tile] = 2.0;
}

void sonic_gains_estimate(sonic_gains *out, const sonic_pyramid *before, const sonic_pyramid *now,
                          const double shift[2], double gain)
{
    sonic_gains_reset(out);
    estimate_image(out, before, now, shift, gain);
    for (int32_t tile = 0; tile < SONIC_GAIN_TILES * SONIC_GAIN_TILES; tile++)
        estimate_tile(out, before, now, shift, tile);
}
