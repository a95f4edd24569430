/* resampled_grid.h - blocks of an image that was resized after its compression: the scale at which they have 8 pixels
 * again, and their compression history at that scale. */
#ifndef SONIC_GATE_RESAMPLED_GRID_H
#define SONIC_GATE_RESAMPLED_GRID_H

#include "gate/block_period.h"
#include "gate/drawn.h"
#include "gate/history.h"

typedef struct sonic_resampled_grid {
    double period_px;         /* of the blocks in the image; 0 when no scale shows blocks */
    sonic_history history;    /* at the scale of 8 pixels */
    sonic_drawn_blocks drawn; /* what the insides of those blocks show */
} sonic_resampled_grid;

/* Bytes of scratch memory. */
size_t sonic_resampled_grid_scratch_size(int32_t height_px);

/* Tries every candidate of `period`. has_eight: the image has blocks of 8 pixels. counts: scratch, [SONIC_DCT_COUNTS].
 */
void sonic_resampled_grid_find(sonic_resampled_grid *out, const sonic_likelihood *tables, const sonic_plane *luma,
                               const sonic_block_period *period, int32_t has_eight, uint32_t *counts, void *scratch);

#endif
