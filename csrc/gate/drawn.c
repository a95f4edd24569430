#include "gate/drawn.h"

#include <math.h>
#include <string.h>

#include "gate/block_sample.h"

/* Chosen by hand on bench/gate_drawn.py and the variants of bench/gate.py. */
#define RANGE_MIN 12.0f /* levels: contrast of a block that is read */
#define EQUAL 0.01f     /* levels */
#define SHARP 0.5f      /* step of a sharp edge, as a share of the block's contrast: low frequencies repeat by chance */
#define BLOCKS_MAX 512  /* blocks that are read, spread over the image */
#define SLOTS (2 * BLOCKS_MAX)
#define LINES 32  /* rows and columns whose periods are read */
#define LAG_MIN 4 /* pixels */
#define LAG_MAX 67
#define LAGS (LAG_MAX - LAG_MIN + 1)
#define STEP_MAX 16.0f /* levels: larger steps count as this, lest one edge decide */
#define LINE_MAX 2048  /* pixels of a row or column */

/* The inside of a block, pixels from the left and the top; the ends are excluded. */
typedef struct inside {
    int32_t left, top, right, bottom;
} inside;

/* What one block shows. */
typedef struct block_signs {
    float low, high, steepest; /* levels; between neighbours */
    int32_t flat, pairs;       /* pixels that equal the next ones, and all that have next ones */
    uint32_t hash;             /* of the levels relative to the first */
} block_signs;

/* What lies within one pixel of the original from the edges mixes with the neighbouring blocks when an image is
 * resized, sharpened or blurred. */
static void place_inside(int32_t *first, int32_t *end, double edge, double period, int64_t number)
{
    const double margin = period > 8 ? period / 8 : 1;
    *first = (int32_t)ceil(edge + (double)number * period + margin);
    *end = (int32_t)floor(edge + (double)(number + 1) * period - margin);
}

static inside inside_of(const sonic_drawn_grid *grid, int64_t column, int64_t row)
{
    inside part;
    place_inside(&part.left, &part.right, grid->edge_x_px, grid->period_x_px, column);
    place_inside(&part.top, &part.bottom, grid->edge_y_px, grid->period_y_px, row);
    return part;
}

static block_signs levels_of(const sonic_plane *luma, inside part)
{
    block_signs signs = {255, 0, 0, 0, 0, SONIC_BLOCK_HASH};
    for (int32_t y = part.top; y < part.bottom; y++)
        for (int32_t x = part.left; x < part.right; x++) {
            float value = sonic_plane_row(luma, y)[x];
            signs.low = value < signs.low ? value : signs.low;
            signs.high = value > signs.high ? value : signs.high;
        }
    return signs;
}

static void add_hash(block_signs *signs, const sonic_plane *luma, inside part)
{
    const float first = sonic_plane_row(luma, part.top)[part.left];
    for (int32_t y = part.top; y < part.bottom; y++)
        for (int32_t x = part.left; x < part.right; x++)
            signs->hash = sonic_block_hash(signs->hash, (int32_t)lrintf(16 * (sonic_plane_row(luma, y)[x] - first)));
}

static void add_steps(block_signs *signs, const sonic_plane *luma, inside part)
{
    for (int32_t y = part.top; y < part.bottom - 1; y++)
        for (int32_t x = part.left; x < part.right - 1; x++) {
            const float *row = sonic_plane_row(luma, y) + x, *next = row + luma->width_px;
            const float across = fabsf(row[1] - row[0]), down = fabsf(next[0] - row[0]);
            signs->pairs++;
            signs->flat += across < EQUAL && down < EQUAL;
            signs->steepest = fmaxf(signs->steepest, fmaxf(across, down));
        }
}

static int has_contrast(const block_signs *signs)
{
    return signs->low > 1.0f && signs->high < 254.0f && signs->high - signs->low >= RANGE_MIN;
}

/* The whole blocks, in the order of block_sample.h. */
static sonic_block_grid order_of(const sonic_plane *luma, const sonic_drawn_grid *grid)
{
    sonic_block_grid order = {0, 0, (int64_t)((luma->width_px - grid->edge_x_px) / grid->period_x_px), 0};
    const int64_t rows = (int64_t)((luma->height_px - grid->edge_y_px) / grid->period_y_px);
    order.count = order.columns > 0 && rows > 0 ? order.columns * rows : 0;
    return order;
}

void sonic_drawn_read_blocks(sonic_drawn_blocks *out, const sonic_plane *luma, const sonic_drawn_grid *grid)
{
    const sonic_block_grid order = order_of(luma, grid);
    uint32_t seen[SLOTS] = {0};
    int64_t flat = 0, pairs = 0;
    int32_t repeated = 0;
    memset(out, 0, sizeof *out);
    for (int64_t i = 0; i < order.count && out->count < BLOCKS_MAX; i++) {
        const int64_t at = sonic_block_grid_shuffled(&order, i);
        const inside part = inside_of(grid, at % order.columns, at / order.columns);
        block_signs signs = levels_of(luma, part);
        if (!has_contrast(&signs))
            continue;
        add_steps(&signs, luma, part);
        add_hash(&signs, luma, part);
        out->count++;
        flat += signs.flat, pairs += signs.pairs;
        if (!sonic_block_is_new(seen, SLOTS, signs.hash))
            repeated += signs.steepest >= SHARP * (signs.high - signs.low);
    }
    if (out->count) {
        out->flat = pairs ? (float)flat / (float)pairs : 0;
        out->repeated = (float)repeated / (float)out->count;
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
    const sonic_drawn_grid eight = {8, 8, grid_offset % 8, grid_offset / 8};
    sonic_drawn_read_blocks(&out->blocks, luma, &eight);
    out->periodic = fmaxf(period_along(luma, 0), period_along(luma, 1));
}
