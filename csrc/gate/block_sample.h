/* block_sample.h - the blocks of a grid in an order that spreads over the image, and which of them are new. */
#ifndef SONIC_GATE_BLOCK_SAMPLE_H
#define SONIC_GATE_BLOCK_SAMPLE_H

#include "core/plane.h"

/* Whole blocks of 8 x 8 pixels. */
typedef struct sonic_block_grid {
    int32_t left, top; /* of the first block */
    int64_t columns, count;
} sonic_block_grid;

static inline sonic_block_grid sonic_block_grid_of(const sonic_plane *luma, int32_t grid_offset)
{
    sonic_block_grid grid = {grid_offset % 8, grid_offset / 8, 0, 0};
    const int64_t rows = (luma->height_px - grid.top) / 8;
    grid.columns = (luma->width_px - grid.left) / 8;
    grid.count = grid.columns > 0 && rows > 0 ? grid.columns * rows : 0;
    return grid;
}

/* Number of the block that comes i-th, 0 <= i < count: a permutation, since the stride is a prime that does not divide
 * the count. */
static inline int64_t sonic_block_grid_shuffled(const sonic_block_grid *grid, int64_t i)
{
    return i * (grid->count % 7919 ? 7919 : 7907) % grid->count;
}

/* First pixel of that block. */
static inline void sonic_block_grid_at(int32_t *x, int32_t *y, const sonic_block_grid *grid, int64_t i)
{
    const int64_t at = sonic_block_grid_shuffled(grid, i);
    *x = (int32_t)(at % grid->columns) * 8 + grid->left;
    *y = (int32_t)(at / grid->columns) * 8 + grid->top;
}

#define SONIC_BLOCK_HASH 2166136261u /* FNV-1a, 32 bits */
static inline uint32_t sonic_block_hash(uint32_t hash, int32_t value) { return (hash ^ (uint32_t)value) * 16777619u; }

/* Whether a block's hash is new; then it is kept. seen: [slots], zeros at first, never full. */
static inline int sonic_block_is_new(uint32_t *seen, uint32_t slots, uint32_t hash)
{
    hash += !hash; /* 0 marks a free slot */
    for (uint32_t at = hash % slots;; at = (at + 1) % slots) {
        if (seen[at] == hash)
            return 0;
        if (!seen[at]) {
            seen[at] = hash;
            return 1;
        }
    }
}

#endif
