/* block_votes.h - which blocks of an image a quantisation table can have produced, and which it cannot.
 *
 * The likelihood of likelihood.h counts coefficients as independent. In drawings they are not: a flat edge or a tile
 * occurs a thousand times, and where it happens to fit a table all of it fits. So a table that fits by likelihood is
 * put to the vote, in which each different block counts once and all 63 frequencies are read. After quantisation a
 * block lies on multiples of the steps as a whole (Z. Fan, R. de Queiroz, IEEE TIP 12(2), 2003); a sharp edge that was
 * never compressed has high frequencies between them, and a smooth block has too few coefficients to say anything. */
#ifndef SONIC_GATE_BLOCK_VOTES_H
#define SONIC_GATE_BLOCK_VOTES_H

#include "core/plane.h"

typedef struct sonic_block_votes {
    int32_t supporting; /* different blocks on multiples of the steps */
    int32_t against;    /* different blocks off them */
} sonic_block_votes;

#define SONIC_BLOCK_VOTES_MAX 256 /* blocks that are counted; later ones add nothing */

/* One vote. A block is counted when it has no clipped level and SONIC_BLOCK_VOTES_NONZERO coefficients away from zero
 * at frequencies whose steps stand out of the noise. */
typedef struct sonic_block_poll {
    sonic_block_votes votes;
    float cosine[8][8], step[64], inverse[64], reach[64]; /* step 0, reach infinite where nothing is read */
    uint32_t seen[4 * SONIC_BLOCK_VOTES_MAX];             /* hash table of the blocks that were counted */
} sonic_block_poll;

/* step: [vertical * 8 + horizontal] of the table in the image's orientation, 0 where unknown. sigma: noise since the
 * compression, levels. */
void sonic_block_poll_init(sonic_block_poll *poll, const float step[64], float sigma);

/* Whether SONIC_BLOCK_VOTES_MAX blocks were counted. */
int sonic_block_poll_is_full(const sonic_block_poll *poll);

/* Reads the block whose first pixel is (x, y). */
void sonic_block_poll_add(sonic_block_poll *poll, const sonic_plane *luma, int32_t x, int32_t y);

/* Reads the blocks of a grid, spread over the whole image, until SONIC_BLOCK_VOTES_MAX are counted. */
void sonic_block_poll_grid(sonic_block_poll *poll, const sonic_plane *luma, int32_t grid_offset);

#endif
