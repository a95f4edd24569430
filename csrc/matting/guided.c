#include "matting/guided.h"

#include "core/parallel.h"

enum { CELLS = SONIC_MATTE_CELLS, PRODUCTS = 13 };

#define SMOOTHNESS 6e-4f /* variance of colour (0..1) below which a neighbourhood counts as flat */

/* Planes of a fit: red, green, blue, mask, then their products: rr rg rb gg gb bb, rm gm bm. */
typedef struct fit_job {
    float *const *planes;
    const float *guide, *mask;
    float *coefficients;
} fit_job;

static void fill_products(int64_t first, int64_t last, void *context)
{
    const fit_job *job = context;
    float *const *p = job->planes;
    for (int64_t i = first; i < last; i++) {
        float r = job->guide[i], g = job->guide[CELLS + i], b = job->guide[2 * CELLS + i], m = job->mask[i];
        p[0][i] = r, p[1][i] = g, p[2][i] = b, p[3][i] = m;
        p[4][i] = r * r, p[5][i] = r * g, p[6][i] = r * b, p[7][i] = g * g, p[8][i] = g * b, p[9][i] = b * b;
        p[10][i] = r * m, p[11][i] = g * m, p[12][i] = b * m;
    }
}

/* Coefficients of one neighbourhood: (covariance + smoothness)^-1 times the covariance with the mask, by cofactors. */
static void solve_cells(int64_t first, int64_t last, void *context)
{
    const fit_job *job = context;
    float *const *p = job->planes;
    for (int64_t i = first; i < last; i++) {
        float r = p[0][i], g = p[1][i], b = p[2][i], m = p[3][i];
        float rr = p[4][i] - r * r + SMOOTHNESS, rg = p[5][i] - r * g, rb = p[6][i] - r * b;
        float gg = p[7][i] - g * g + SMOOTHNESS, gb = p[8][i] - g * b, bb = p[9][i] - b * b + SMOOTHNESS;
        float rm = p[10][i] - r * m, gm = p[11][i] - g * m, bm = p[12][i] - b * m;
        float c00 = gg * bb - gb * gb, c01 = gb * rb - rg * bb, c02 = rg * gb - gg * rb;
        float c11 = rr * bb - rb * rb, c12 = rb * rg - rr * gb, c22 = rr * gg - rg * rg;
        float scale = 1 / (rr * c00 + rg * c01 + rb * c02);
        float a0 = (c00 * rm + c01 * gm + c02 * bm) * scale, a1 = (c01 * rm + c11 * gm + c12 * bm) * scale,
              a2 = (c02 * rm + c12 * gm + c22 * bm) * scale;
        job->coefficients[i] = a0, job->coefficients[CELLS + i] = a1, job->coefficients[2 * CELLS + i] = a2;
        job->coefficients[3 * CELLS + i] = m - a0 * r - a1 * g - a2 * b;
    }
}

void sonic_guided_fit(float *coefficients, const float *guide, const float *mask, const int32_t radius[2],
                      float *scratch)
{
    float *planes[PRODUCTS], *out[4], *rest = scratch + (size_t)PRODUCTS * CELLS;
    for (int i = 0; i < PRODUCTS; i++)
        planes[i] = scratch + (size_t)i * CELLS;
    for (int i = 0; i < 4; i++)
        out[i] = coefficients + (size_t)i * CELLS;
    fit_job job = {planes, guide, mask, coefficients};
    sonic_parallel_for(CELLS, 8192, fill_products, &job);
    sonic_grid_means(planes, (const float *const *)planes, PRODUCTS, radius, rest);
    sonic_parallel_for(CELLS, 8192, solve_cells, &job);
    sonic_grid_means(out, (const float *const *)out, 4, radius, rest);
}
