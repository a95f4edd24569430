/* resampled_grid.h - blocks that were resized: the scale at which they have 8 pixels again, and what they tell there.
 */
#ifndef SONIC_GATE_RESAMPLED_GRID_H
#define SONIC_GATE_RESAMPLED_GRID_H

#include "gate/block_period.h"
#include "gate/history.h"

typedef struct sonic_resized {
    double period_px;      /* 0 when no scale shows blocks */
    sonic_history history; /* at that scale */
} sonic_resized;

size_t sonic_resized_scratch_size(int32_t width_px, int32_t height_px);

/* The best of the comb's candidates. has_eight: blocks of 8 pixels are there. counts: scratch of SONIC_LATTICE_COUNTS.
 */
void sonic_resized_find(sonic_resized *out, const sonic_likelihood *tables, const sonic_plane *luma,
                        const sonic_comb *comb, int32_t has_eight, uint32_t *counts, void *scratch);

#endif
