#include "gate/resampled_grid.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "gate/dct_histogram.h"
#include "gate/resample.h"

/* Chosen by hand on the variants of bench/gate.py. */
#define CONTRAST_MIN 0.03f /* nats a block: below, the scale is rejected */
#define EXCESS_MIN 0.012f  /* share of coefficients; chance gives half of it to the best of 64 offsets */
#define COMPARE_PX 160     /* side of the part on which candidates are compared */
#define COMPARE_ZERO 12    /* bins, three levels, that count as zero there: a later compression moves zeros */

/* Input and scratch memory of the search. */
typedef struct workspace {
    const sonic_plane *luma;
    uint32_t *counts; /* also the memory of the region map */
    unsigned char *resample, *histogram;
} workspace;

/* A scale, with the excess of its best grid offset (region_map.h). */
typedef struct scale {
    double period_x_px, period_y_px, edge_x_px, edge_y_px;
    float excess;
} scale;

static size_t resample_size(int32_t height_px)
{
    return sonic_arena_piece(sonic_plane_resample_scratch_size(height_px));
}

size_t sonic_resampled_grid_scratch_size(int32_t height_px)
{
    return resample_size(height_px) + sonic_dct_histogram_scratch_size(SONIC_RESAMPLE_SIDE_MAX);
}

/* The middle of the image at that scale; empty when too little fits. */
static sonic_plane resample_to(const workspace *w, const scale *s, int32_t side_px)
{
    sonic_plane part;
    sonic_plane_resample(&part, w->luma, s->period_x_px / 8, s->period_y_px / 8, s->edge_x_px, s->edge_y_px, side_px,
                         w->resample);
    return part;
}

static float excess_at(const workspace *w, const scale *s)
{
    sonic_region_map map;
    sonic_plane part = resample_to(w, s, COMPARE_PX);
    if (!part.width_px)
        return 0;
    sonic_region_map_init(&map, part.width_px, part.height_px, COMPARE_ZERO, w->counts);
    sonic_dct_histogram_count(NULL, &map, &part, w->histogram);
    return sonic_region_map_excess(&map);
}

static void keep_better(scale *best, const workspace *w, const sonic_period_candidate *c)
{
    scale s = {c->period_x_px, c->period_y_px, c->edge_x_px, c->edge_y_px, 0};
    s.excess = c->evidence > 0 ? excess_at(w, &s) : 0;
    if (s.excess > best->excess)
        *best = s;
}

static float contrast_of(const sonic_blockiness *b) { return b->strength - (b->second > 0 ? b->second : 0); }

/* Where the blocks are in the image. grid_offset: of the blocks at the scale of 8 pixels. */
static sonic_drawn_grid grid_of(const scale *s, int32_t grid_offset)
{
    const double x = s->edge_x_px + grid_offset % 8 * s->period_x_px / 8,
                 y = s->edge_y_px + grid_offset / 8 * s->period_y_px / 8;
    return (sonic_drawn_grid){s->period_x_px, s->period_y_px, fmod(x, s->period_x_px), fmod(y, s->period_y_px)};
}

/* The history at a scale at which blocks have 8 pixels, as that of the whole image. */
static void read_scale(sonic_resampled_grid *out, const sonic_likelihood *tables, const workspace *w, const scale *s)
{
    sonic_blockiness blockiness;
    float strength[SONIC_GRID_OFFSETS];
    sonic_plane part = resample_to(w, s, SONIC_RESAMPLE_SIDE_MAX);
    sonic_dct_histogram_count(w->counts, NULL, &part, w->histogram);
    sonic_blockiness_measure(&blockiness, strength, w->counts);
    if (contrast_of(&blockiness) <= CONTRAST_MIN)
        return;
    out->period_px = 0.5 * (s->period_x_px + s->period_y_px);
    sonic_history_read(&out->history, tables, w->counts);
    const sonic_drawn_grid grid = grid_of(s, blockiness.grid_offset);
    sonic_drawn_read_blocks(&out->drawn, w->luma, &grid);
}

void sonic_resampled_grid_find(sonic_resampled_grid *out, const sonic_likelihood *tables, const sonic_plane *luma,
                               const sonic_block_period *period, int32_t has_eight, uint32_t *counts, void *scratch)
{
    const workspace w = {luma, counts, scratch, (unsigned char *)scratch + resample_size(luma->height_px)};
    scale best = {0, 0, 0, 0, EXCESS_MIN};
    memset(out, 0, sizeof *out);
    for (int k = 0; k < SONIC_BLOCK_PERIOD_CANDIDATES; k++)
        keep_better(&best, &w, &period->candidate[k]);
    if (!has_eight) /* lines of period 8 without such blocks are even harmonics of 16 */
        keep_better(&best, &w, &period->sixteen);
    if (best.period_x_px > 0)
        read_scale(out, tables, &w, &best);
}
