#include "repair/quant_fit.h"

#include "repair/block.h"

#define BLOCKS 8192   /* about so many are read */
#define STEP_MIN 5.0f /* levels; finer steps drown in the rounding to 8 bits */

typedef struct table {
    float step[8][8], per_step[8][8], counts[8][8]; /* counts: 1 for modes that count */
    sonic_block transposed;
} table;

static void prepare(table *t, const sonic_repair_grid *grid)
{
    sonic_block_transpose(&t->transposed, &sonic_block_cosine);
    for (int k = 0; k < 64; k++) {
        t->step[k / 8][k % 8] = grid->steps[k];
        t->per_step[k / 8][k % 8] = 1 / grid->steps[k];
        t->counts[k / 8][k % 8] = (float)(k > 0 && grid->steps[k] >= STEP_MIN);
    }
}

SONIC_WIDE
static void add_block(float sum[8], float count[8], const float *in, ptrdiff_t stride, const table *t)
{
    sonic_block block;
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            block.v[y][x] = in[y * stride + x];
    sonic_block_forward(&block, &block, &t->transposed);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            const float multiple = block.v[y][x] * t->per_step[y][x], nearest = (multiple + 12582912.0f) - 12582912.0f;
            const float r = multiple - nearest,
                        counts = t->counts[y][x] * (float)((nearest >= 1.0f) | (nearest <= -1.0f));
            sum[x] += counts * (1.0f - 12.0f * r * r);
            count[x] += counts;
        }
}

void sonic_quant_fit_add(sonic_quant_fit *fit, const sonic_plane *plane, const sonic_repair_grid *grid)
{
    table t;
    const int32_t rows = (plane->height_px - grid->row_px) / 8, columns = (plane->width_px - grid->column_px) / 8;
    const int32_t every = 1 + (int32_t)((int64_t)(rows > 0 ? rows : 0) * (columns > 0 ? columns : 0) / BLOCKS);
    prepare(&t, grid);
    for (int32_t y = every / 2; y < rows; y += every) {
        float sum[8] = {0}, count[8] = {0};
        for (int32_t x = 0; x < columns; x++)
            add_block(sum, count, sonic_plane_row(plane, grid->row_px + 8 * y) + grid->column_px + 8 * x,
                      plane->width_px, &t);
        for (int k = 0; k < 8; k++) {
            fit->sum += sum[k];
            fit->count += (int64_t)count[k];
        }
    }
}

double sonic_quant_fit_mean(const sonic_quant_fit *fit)
{
    return fit->count < SONIC_QUANT_FIT_COUNT_MIN || fit->sum < 0 ? 0 : fit->sum / (double)fit->count;
}
