#include "repair/table_estimate.h"

#include <string.h>

#include "gate/quality.h"
#include "repair/block.h"

#define BLOCKS 4096 /* that are read, at most */
#define LARGEST 128 /* steps 3 to 128 are tried */

/* Chosen by hand on the photos of bench/repair.py. */
#define COUNT_MIN 24   /* coefficients of a mode with a multiple other than 0 */
#define NEAR_BEST 0.8f /* of the best mean: divisors of a step fit as well, so the largest such step counts */
#define FIT_MIN 0.6f   /* mean of an accepted step */
#define MODES_MIN 6    /* with an estimate */

/* Writes coefficients, values: [64][BLOCKS]; the number of blocks. */
static int32_t collect(float *values, const sonic_plane *plane, const sonic_repair_grid *grid)
{
    const int32_t rows = (plane->height_px - grid->row_px) / 8, columns = (plane->width_px - grid->column_px) / 8;
    const int64_t blocks = rows > 0 && columns > 0 ? (int64_t)rows * columns : 0, every = 1 + blocks / BLOCKS;
    sonic_block block, transposed;
    int32_t count = 0;
    sonic_block_transpose(&transposed, &sonic_block_cosine);
    for (int64_t i = every / 2; i < blocks && count < BLOCKS; i += every, count++) {
        const float *in =
            sonic_plane_row(plane, grid->row_px + 8 * (int32_t)(i / columns)) + grid->column_px + 8 * (i % columns);
        for (int y = 0; y < 8; y++)
            memcpy(block.v[y], in + (ptrdiff_t)y * plane->width_px, sizeof block.v[y]);
        sonic_block_forward(&block, &block, &transposed);
        for (int k = 0; k < 64; k++)
            values[k * BLOCKS + count] = block.v[k / 8][k % 8];
    }
    return count;
}

/* Mean of 1 - 12 r^2 (quant_fit.h); 0 for too few coefficients. */
SONIC_WIDE
static float fit_of(const float *restrict values, int32_t count, float step)
{
    const float per_step = 1 / step;
    float sum = 0, used = 0, lane_sum[8] = {0}, lane_used[8] = {0};
    for (int32_t i = 0; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++) {
            const float multiple = values[i + k] * per_step, nearest = (multiple + 12582912.0f) - 12582912.0f,
                        r = multiple - nearest;
            const float uses = (float)((nearest >= 1.0f) | (nearest <= -1.0f));
            lane_sum[k] += uses * (1.0f - 12.0f * r * r);
            lane_used[k] += uses;
        }
    for (int k = 0; k < 8; k++)
        sum += lane_sum[k], used += lane_used[k];
    return used < COUNT_MIN ? 0 : sum / used;
}

/* The step of one mode; 0 without an estimate. */
static float estimate_step(const float *values, int32_t count)
{
    float fits[LARGEST + 1] = {0}, best = 0;
    for (int step = 3; step <= LARGEST; step++) {
        fits[step] = fit_of(values, count, (float)step);
        best = fits[step] > best ? fits[step] : best;
    }
    if (best < FIT_MIN)
        return 0;
    int largest = LARGEST;
    while (fits[largest] < NEAR_BEST * best)
        largest--;
    int found = largest;
    for (int step = largest; step >= largest - largest / 4 && step >= 3; step--)
        if (fits[step] > fits[found])
            found = step;
    return (float)found;
}

/* Median of the known steps over those of the standard table. */
static float median_scale(const float steps[64], int32_t known)
{
    for (int k = 1; k < 64; k++) {
        int32_t below = 0, same = 0;
        const float scale = steps[k] / (float)sonic_quality_step(50, 0, k);
        for (int i = 1; i < 64 && scale > 0; i++) {
            const float other = steps[i] / (float)sonic_quality_step(50, 0, i);
            below += other > 0 && other < scale;
            same += other == scale;
        }
        if (scale > 0 && below <= known / 2 && below + same > known / 2)
            return scale;
    }
    return 1;
}

int32_t sonic_table_estimate(sonic_repair_grid *grid, const sonic_plane *plane, float *scratch)
{
    const int32_t count = collect(scratch, plane, grid);
    int32_t known = 0;
    float largest = 0;
    grid->steps[0] = 0;
    for (int k = 1; k < 64; k++) {
        grid->steps[k] = estimate_step(scratch + k * BLOCKS, count);
        known += grid->steps[k] > 0;
        largest = grid->steps[k] > largest ? grid->steps[k] : largest;
    }
    if (known < MODES_MIN)
        return 0;
    const float scale = median_scale(grid->steps, known);
    grid->steps[0] = estimate_step(scratch, count);
    for (int k = 0; k < 64; k++) {
        const float standard = scale * (float)sonic_quality_step(50, 0, k),
                    bounded = standard < largest ? standard : largest;
        if (grid->steps[k] <= 0)
            grid->steps[k] = bounded < 1 ? 1 : bounded;
    }
    return known;
}
