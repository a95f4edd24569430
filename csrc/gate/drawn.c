#include "gate/drawn.h"

#include <math.h>
#include <string.h>

#include "gate/block_sample.h"

/* Chosen by hand on bench/gate_drawn.py and the variants of bench/gate.py. */
#define RANGE_MIN 12.0f /* levels: contrast of a block that is read */
#define EQUAL 0.01f     /* levels */
#define BLOCKS_MAX 512  /* blocks that are read, spread over the image */
#define SLOTS (2 * BLOCKS_MAX)
#define LINES 32  /* rows and columns whose periods are read */
#define LAG_MIN 4 /* pixels */
#define LAG_MAX 67
#define LAGS (LAG_MAX - LAG_MIN + 1)
#define STEP_MAX 16.0f /* levels: larger steps count as this, lest one edge decide */
#define LINE_MAX 2048  /* pixels of a row or column */

static int equal(float a, float b) { return fabsf(a - b) < EQUAL; }

/* Whether the block counts; adds its flat pixels, of 49, and its hash. */
static int read_block(int32_t *flat, uint32_t *hash, const sonic_plane *luma, int32_t x, int32_t y)
{
    float low = 255, high = 0, first = sonic_plane_row(luma, y)[x];
    *hash = SONIC_BLOCK_HASH;
    for (int i = 0; i < 64; i++) {
        float value = sonic_plane_row(luma, y + i / 8)[x + i % 8];
        low = value < low ? value : low;
        high = value > high ? value : high;
        *hash = sonic_block_hash(*hash, (int32_t)rintf(16 * (value - first)));
    }
    if (low <= 1.0f || high >= 254.0f || high - low < RANGE_MIN)
        return 0;
    for (int i = 0; i < 7; i++) {
        const float *row = sonic_plane_row(luma, y + i) + x, *next = sonic_plane_row(luma, y + i + 1) + x;
        for (int k = 0; k < 7; k++)
            *flat += equal(row[k], row[k + 1]) && equal(row[k], next[k]);
    }
    return 1;
}

static void measure_blocks(sonic_drawn *out, const sonic_plane *luma, int32_t grid_offset)
{
    const sonic_block_grid grid = sonic_block_grid_of(luma, grid_offset);
    uint32_t seen[SLOTS] = {0}, hash;
    int32_t flat = 0, repeated = 0;
    for (int64_t i = 0; i < grid.count && out->blocks < BLOCKS_MAX; i++) {
        int32_t x, y;
        sonic_block_grid_at(&x, &y, &grid, i);
        if (!read_block(&flat, &hash, luma, x, y))
            continue;
        out->blocks++;
        repeated += !sonic_block_is_new(seen, SLOTS, hash);
    }
    if (out->blocks) {
        out->flat = (float)flat / (49.0f * (float)out->blocks);
        out->repeated = (float)repeated / (float)out->blocks;
    }
}

/* Adds the products of each step with those LAG_MIN and more further; the number of lags is inside, where sums do not
 * wait for each other. */
SONIC_WIDE
static void correlate(float *restrict products, const float *restrict steps, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        for (int lag = 0; lag < LAGS; lag++)
            products[lag] += steps[x] * steps[x + LAG_MIN + lag];
}

/* Largest rise of the correlation from a shorter lag to a longer one: blur alone makes it fall. */
static float prominence(const float products[LAGS], float squares)
{
    float least = products[0], most = 0;
    for (int lag = 0; lag < LAGS; lag++) {
        least = fminf(least, products[lag]);
        most = fmaxf(most, products[lag] - least);
    }
    return squares > 0 ? most / squares : 0;
}

static float period_along(const sonic_plane *luma, int down)
{
    float products[LAGS] = {0}, squares = 0, steps[LINE_MAX];
    const int32_t length = down ? luma->height_px : luma->width_px, lines = down ? luma->width_px : luma->height_px;
    const int32_t count = (length < LINE_MAX ? length : LINE_MAX) - 1;
    const ptrdiff_t next = down ? luma->width_px : 1;
    for (int32_t i = 0; i < LINES && i < lines; i++) {
        const ptrdiff_t line = (ptrdiff_t)((2 * i + 1) * (int64_t)lines / (2 * (lines < LINES ? lines : LINES)));
        const float *at = luma->data + line * (down ? 1 : luma->width_px);
        for (int32_t k = 0; k < count; k++) {
            float step = at[(k + 1) * next] - at[k * next];
            steps[k] = step > STEP_MAX ? STEP_MAX : step < -STEP_MAX ? -STEP_MAX : step;
        }
        for (int32_t x = 0; x < count - LAG_MAX; x++)
            squares += steps[x] * steps[x];
        correlate(products, steps, count - LAG_MAX);
    }
    return prominence(products, squares);
}

void sonic_drawn_measure(sonic_drawn *out, const sonic_plane *luma, int32_t grid_offset)
{
    memset(out, 0, sizeof *out);
    measure_blocks(out, luma, grid_offset);
    out->periodic = fmaxf(period_along(luma, 0), period_along(luma, 1));
}
