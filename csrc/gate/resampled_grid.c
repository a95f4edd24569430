#include "gate/resampled_grid.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "gate/region_map.h"
#include "gate/resample.h"

#define FAINT_GRID 0.03f     /* nats a block: below, nothing is kept */
#define WORTH_READING 0.012f /* share of coefficients: chance gives half of it to the best of 64 positions */
#define GLANCE_PX 160        /* side of the part by which candidates are compared */
#define GLANCE_ZERO 12       /* bins, three levels: a later compression has moved what was zero */

/* Everything that a look at one scale takes. */
typedef struct look {
    const sonic_plane *luma;
    uint32_t *counts; /* also the memory of cells */
    unsigned char *resize, *lattice;
} look;

/* A scale, with how special one position of the grid is there. */
typedef struct scale {
    double period_x_px, period_y_px, edge_x_px, edge_y_px;
    float excess;
} scale;

static size_t resize_size(int32_t height_px) { return sonic_arena_piece(sonic_resize_scratch_size(height_px)); }

size_t sonic_resized_scratch_size(int32_t width_px, int32_t height_px)
{
    (void)width_px;
    return resize_size(height_px) + sonic_lattice_scratch_size(SONIC_RESIZE_SIDE_MAX);
}

/* The middle of the picture at that scale; empty when too little fits. */
static sonic_plane brought_back(const look *l, const scale *s, int32_t side_px)
{
    sonic_plane part;
    sonic_resize_part(&part, l->luma, s->period_x_px / 8, s->period_y_px / 8, s->edge_x_px, s->edge_y_px, side_px,
                      l->resize);
    return part;
}

static float excess_at(const look *l, const scale *s)
{
    sonic_cells cells;
    sonic_plane part = brought_back(l, s, GLANCE_PX);
    if (!part.width_px)
        return 0;
    sonic_cells_init(&cells, part.width_px, part.height_px, GLANCE_ZERO, l->counts);
    sonic_lattice_count(NULL, &cells, &part, l->lattice);
    return sonic_cells_excess(&cells);
}

static void glance(scale *best, const look *l, const sonic_comb_candidate *c)
{
    scale s = {c->period_x_px, c->period_y_px, c->edge_x_px, c->edge_y_px, 0};
    s.excess = c->evidence > 0 ? excess_at(l, &s) : 0;
    if (s.excess > best->excess)
        *best = s;
}

static float contrast_of(const sonic_grid *grid) { return grid->strength - (grid->second > 0 ? grid->second : 0); }

/* At their scale the blocks are looked at as those of the picture itself. */
static void read_scale(sonic_resized *out, const sonic_likelihood *tables, const look *l, const scale *s)
{
    sonic_grid grid;
    float strength[SONIC_LATTICE_PHASES];
    sonic_plane part = brought_back(l, s, SONIC_RESIZE_SIDE_MAX);
    sonic_lattice_count(l->counts, NULL, &part, l->lattice);
    sonic_grid_measure(&grid, strength, l->counts);
    if (contrast_of(&grid) <= FAINT_GRID)
        return;
    out->period_px = 0.5 * (s->period_x_px + s->period_y_px);
    sonic_history_read(&out->history, tables, l->counts);
}

/* A comb of period 8 without a grid of that size is that of blocks twice as large. */
void sonic_resized_find(sonic_resized *out, const sonic_likelihood *tables, const sonic_plane *luma,
                        const sonic_comb *comb, int32_t has_eight, uint32_t *counts, void *scratch)
{
    const look l = {luma, counts, scratch, (unsigned char *)scratch + resize_size(luma->height_px)};
    scale best = {0, 0, 0, 0, WORTH_READING};
    memset(out, 0, sizeof *out);
    for (int k = 0; k < SONIC_COMB_CANDIDATES; k++)
        glance(&best, &l, &comb->other[k]);
    if (!has_eight)
        glance(&best, &l, &comb->sixteen);
    if (best.period_x_px > 0)
        read_scale(out, tables, &l, &best);
}
