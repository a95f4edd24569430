#include "matting/steady.h"

#include <math.h>

#include "core/scalar.h"

enum { SIDE = SONIC_MATTE_SIDE, CELLS = SONIC_MATTE_CELLS, BINS = 256 };

#define MOTION_MAX 2.0f /* cells a frame; faster motion is left to the network's mask */
#define FLATNESS 2e-5f  /* gradients squared below which a window has no texture to follow */
#define WEIGHT_MIN 0.1f /* of the new mask where the picture is the same */
#define LEVEL (1.0f / 255)
#define CUT_DIFFERENCE 0.12 /* mean difference of brightness that only another scene has */

/* Products of gradients at every cell: xx, xy, yy, xt, yt. */
SONIC_WIDE static void gradients(float *const products[5], const float *before, const float *now)
{
    for (int32_t y = 0; y < SIDE; y++) {
        int32_t up = y > 0 ? -SIDE : 0, down = y < SIDE - 1 ? SIDE : 0;
        for (int32_t x = 0; x < SIDE; x++) {
            int32_t i = y * SIDE + x, left = x > 0 ? -1 : 0, right = x < SIDE - 1 ? 1 : 0;
            float dx = (now[i + right] - now[i + left] + before[i + right] - before[i + left]) * 0.25f;
            float dy = (now[i + down] - now[i + up] + before[i + down] - before[i + up]) * 0.25f;
            float dt = now[i] - before[i];
            products[0][i] = dx * dx, products[1][i] = dx * dy, products[2][i] = dy * dy;
            products[3][i] = dx * dt, products[4][i] = dy * dt;
        }
    }
}

/* Solves the 2 x 2 system of each window; the motion takes the place of the last two products. */
static void solve_motion(float *const products[5])
{
    for (int32_t i = 0; i < CELLS; i++) {
        float xx = products[0][i] + FLATNESS, xy = products[1][i], yy = products[2][i] + FLATNESS;
        float xt = products[3][i], yt = products[4][i], scale = -1 / (xx * yy - xy * xy);
        products[3][i] = sonic_clampf((yy * xt - xy * yt) * scale, -MOTION_MAX, MOTION_MAX);
        products[4][i] = sonic_clampf((xx * yt - xy * xt) * scale, -MOTION_MAX, MOTION_MAX);
    }
}

/* The mask and the brightness of the frame before, moved along; the latter as its difference to this frame. */
static void follow(float *moved, float *difference, const float *before, const float *luma_before, const float *luma,
                   float *const products[5])
{
    for (int32_t y = 0; y < SIDE; y++)
        for (int32_t x = 0; x < SIDE; x++) {
            int32_t i = y * SIDE + x;
            float from_x = (float)x - products[3][i], from_y = (float)y - products[4][i];
            moved[i] = sonic_grid_sample(before, from_x, from_y);
            difference[i] = fabsf(luma[i] - sonic_grid_sample(luma_before, from_x, from_y));
        }
}

/* The median of values of 0..1, to 1/256. */
static float median(const float *values)
{
    int32_t counts[BINS] = {0}, seen = 0, bin = 0;
    for (int32_t i = 0; i < CELLS; i++)
        counts[(int32_t)(sonic_clamp01(values[i]) * (BINS - 1))]++;
    while (bin < BINS - 1 && (seen += counts[bin]) < CELLS / 2)
        bin++;
    return (float)bin / (BINS - 1);
}

static double mean_difference(const float *a, const float *b)
{
    double sum = 0;
    for (int32_t i = 0; i < CELLS; i++)
        sum += fabsf(a[i] - b[i]);
    return sum / CELLS;
}

int32_t sonic_steady_mix(float *mask, const float *before, const float *luma_before, const float *luma, float *scratch)
{
    static const int32_t window[2] = {6, 6}, vicinity[2] = {2, 2};
    float *planes[8];
    for (int i = 0; i < 8; i++)
        planes[i] = scratch + (size_t)i * CELLS;
    float *moved = planes[5], *difference = planes[6], *rest = scratch + (size_t)8 * CELLS;
    if (mean_difference(luma, luma_before) > CUT_DIFFERENCE)
        return 0;
    gradients(planes, luma_before, luma);
    sonic_grid_means(planes, (const float *const *)planes, 5, window, rest);
    solve_motion(planes);
    follow(moved, difference, before, luma_before, luma, planes);
    sonic_grid_means(&difference, (const float *const *)&difference, 1, vicinity, rest);
    float noise = 2 * median(difference) + LEVEL;
    for (int32_t i = 0; i < CELLS; i++) {
        float change = sonic_smoothstep((difference[i] - noise) / (8 * LEVEL));
        mask[i] = moved[i] + (WEIGHT_MIN + (1 - WEIGHT_MIN) * change) * (mask[i] - moved[i]);
    }
    return 1;
}
