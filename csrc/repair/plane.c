#include "repair/plane.h"

#include <string.h>

#include "core/arena.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/scalar.h"
#include "repair/block.h"
#include "repair/dct_shrinkage.h"

#define STRIDE SONIC_SHRINKAGE_STRIDE
#define HALO SONIC_SHRINKAGE_HALO
#define TILES 16 /* between two polls of the progress callback; scratch memory is held for so many */

/* Chosen by hand on the photos of bench/repair.py. */
#ifndef LIMIT
#define LIMIT 0.5f    /* of a step: smaller coefficients are set to zero */
#define FRACTION 0.6f /* of the quantisation interval: originals lie nearer to its middle than to its ends */
#endif

typedef struct projection {
    float step[8][8], per_step[8][8], reach[8][8];
    sonic_block transposed;
} projection;

typedef struct job {
    const sonic_plane *out, *in;
    const sonic_repair_grid *grid;
    float limits[64];
    projection projection;
    int32_t across, first_tile; /* tiles in a row; the first of this batch */
    sonic_shrinkage_tile *tiles;
} job;

/* Tiles begin on the grid; the first one begins outside the plane when the first whole block does not begin at 0. */
static int32_t tiles_along(int32_t length_px, int32_t offset_px, int32_t tile_px)
{
    const int32_t begin = offset_px ? offset_px - 8 : 0;
    return (length_px - begin + tile_px - 1) / tile_px;
}

static void load_tile(sonic_shrinkage_tile *tile, const sonic_plane *in, int32_t y0, int32_t x0, int32_t rows)
{
    for (int32_t y = 0; y < rows + 2 * HALO; y++) {
        const float *row = sonic_plane_row(in, sonic_clamp_index(y0 - HALO + y, in->height_px));
        float *to = tile->in + y * STRIDE;
        const int32_t left = x0 - HALO;
        if (left >= 0 && left + STRIDE <= in->width_px)
            memcpy(to, row + left, STRIDE * sizeof *to);
        else
            for (int32_t x = 0; x < STRIDE; x++)
                to[x] = row[sonic_clamp_index(left + x, in->width_px)];
    }
}

static inline void load_block(sonic_block *out, const float *in)
{
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            out->v[y][x] = in[y * STRIDE + x];
}

/* The nearest integer, for values below 2^22: adding 1.5 * 2^23 leaves no bits for the fraction. */
static inline float nearest(float value) { return (value + 12582912.0f) - 12582912.0f; }

SONIC_WIDE
static void project_block(float *restrict levels, const float *restrict compressed, const projection *p)
{
    sonic_block before, after;
    load_block(&before, compressed);
    load_block(&after, levels);
    sonic_block_forward(&before, &before, &p->transposed);
    sonic_block_forward(&after, &after, &p->transposed);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            const float centre = nearest(before.v[y][x] * p->per_step[y][x]) * p->step[y][x];
            const float low = centre - p->reach[y][x], high = centre + p->reach[y][x];
            const float raised = after.v[y][x] < low ? low : after.v[y][x];
            after.v[y][x] = raised > high ? high : raised;
        }
    sonic_block_inverse(&after, &after, &p->transposed);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            levels[y * STRIDE + x] = after.v[y][x];
}

static void project(sonic_shrinkage_tile *tile, const projection *p, int32_t rows, int32_t columns, int32_t y0,
                    int32_t x0)
{
    for (int32_t y = y0 < 0 ? 8 : 0; y + 8 <= rows; y += 8)
        for (int32_t x = x0 < 0 ? 8 : 0; x + 8 <= columns; x += 8) {
            const ptrdiff_t at = (ptrdiff_t)(y + HALO) * STRIDE + x + HALO;
            project_block(tile->sum + at, tile->in + at, p);
        }
}

static void repair_tile(const job *j, int32_t index, sonic_shrinkage_tile *tile)
{
    const sonic_plane *out = j->out;
    const int32_t begin_y = j->grid->row_px ? j->grid->row_px - 8 : 0,
                  begin_x = j->grid->column_px ? j->grid->column_px - 8 : 0;
    const int32_t y0 = begin_y + index / j->across * SONIC_SHRINKAGE_ROWS,
                  x0 = begin_x + index % j->across * SONIC_SHRINKAGE_COLUMNS;
    const int32_t rows = out->height_px - y0 < SONIC_SHRINKAGE_ROWS ? out->height_px - y0 : SONIC_SHRINKAGE_ROWS;
    const int32_t columns = out->width_px - x0 < SONIC_SHRINKAGE_COLUMNS ? out->width_px - x0 : SONIC_SHRINKAGE_COLUMNS;
    load_tile(tile, j->in, y0, x0, rows);
    sonic_dct_shrink(tile, rows, columns, j->limits);
    project(tile, &j->projection, rows, columns, y0, x0);
    const int32_t skip = x0 < 0 ? -x0 : 0;
    for (int32_t y = y0 < 0 ? -y0 : 0; y < rows; y++)
        memcpy(out->data + (ptrdiff_t)(y0 + y) * out->width_px + x0 + skip,
               tile->sum + (y + HALO) * STRIDE + HALO + skip, (size_t)(columns - skip) * sizeof(float));
}

static void repair_tiles(int64_t begin, int64_t end, void *context)
{
    job *j = context;
    for (int64_t i = begin; i < end; i++)
        repair_tile(j, j->first_tile + (int32_t)i, j->tiles + i);
}

static void prepare(job *j, const sonic_repair_grid *grid)
{
    sonic_block_transpose(&j->projection.transposed, &sonic_block_cosine);
    for (int k = 0; k < 64; k++) {
        const float step = grid->steps[k];
        j->limits[k] = LIMIT * step;
        j->projection.step[k / 8][k % 8] = step;
        j->projection.per_step[k / 8][k % 8] = 1 / step;
        j->projection.reach[k / 8][k % 8] = FRACTION * 0.5f * step;
    }
}

sonic_status sonic_repair_plane(const sonic_plane *out, const sonic_plane *in, const sonic_repair_grid *grid)
{
    job j = {.out = out,
             .in = in,
             .grid = grid,
             .across = tiles_along(in->width_px, grid->column_px, SONIC_SHRINKAGE_COLUMNS)};
    const int32_t tiles = j.across * tiles_along(in->height_px, grid->row_px, SONIC_SHRINKAGE_ROWS);
    const size_t bytes = (size_t)(tiles < TILES ? tiles : TILES) * sizeof(sonic_shrinkage_tile);
    sonic_arena *arena;
    sonic_status status = sonic_arena_create(&arena, sonic_arena_piece(bytes));
    if (status != SONIC_OK)
        return status;
    j.tiles = sonic_arena_take(arena, bytes);
    prepare(&j, grid);
    for (; j.first_tile < tiles && status == SONIC_OK; j.first_tile += TILES) {
        status = sonic_progress_poll();
        if (status == SONIC_OK)
            sonic_parallel_for(tiles - j.first_tile < TILES ? tiles - j.first_tile : TILES, 1, repair_tiles, &j);
    }
    sonic_arena_free(arena);
    return status;
}
