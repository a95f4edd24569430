/* history.h - the compression history of an image, from its DCT histograms. */
#ifndef SONIC_GATE_HISTORY_H
#define SONIC_GATE_HISTORY_H

#include "gate/block_votes.h"
#include "gate/blockiness.h"
#include "gate/double_compression.h"
#include "gate/likelihood.h"

/* Least sum of log likelihood ratios for a table to be accepted. Images that never were JPEGs stay thousands below.
 * Chosen by hand on the variants of bench/gate.py. */
#define SONIC_HISTORY_THRESHOLD 150.0f

/* One compression. */
typedef struct sonic_compression {
    int32_t quality;         /* standard table 5..98; 0 when none is accepted */
    int32_t grid_offset;     /* (y & 7) * 8 + (x & 7) */
    int32_t rotated_90;      /* 1 when the image was rotated by 90 degrees since */
    float sigma;             /* of the noise since, grey levels */
    float likelihood;        /* sum of log likelihood ratios */
    float margin;            /* of likelihood over the best grid offset in another row and column */
    sonic_block_votes votes; /* 0 until sonic_history_vote */
} sonic_compression;

typedef struct sonic_history {
    sonic_compression strongest;          /* highest likelihood: as a rule the last compression */
    sonic_compression coarsest;           /* lowest accepted quality; equal to `strongest` after one compression */
    sonic_compression custom;             /* steps found mode by mode; quality is that of the nearest standard table */
    sonic_double_compression primary;     /* a coarser compression before `strongest` on the same grid */
    int32_t custom_modes;                 /* modes, of 14, with a confident step in `custom` */
    int32_t custom_step[SONIC_DCT_MODES]; /* those steps; 0 where none is */
    /* Votes on 14 steps alone, at the grid offset and half a block away, where chance alone votes; 0 where the votes
     * above decide */
    sonic_block_votes low_votes[2]; /* of `coarsest` */
    sonic_block_votes custom_votes[2];
    sonic_blockiness blockiness;
} sonic_history;

/* counts: [grid offset][mode][bin] of dct_histogram.h. */
void sonic_history_read(sonic_history *out, const sonic_likelihood *tables, const uint32_t *counts);

/* Puts the compressions that were found to the vote of their blocks. luma: the image that was counted. */
void sonic_history_vote(sonic_history *history, const sonic_plane *luma);

/* A vote on a standard table. */
void sonic_history_poll(sonic_block_poll *poll, const sonic_compression *found);

/* The coarsest compression at one grid offset, custom tables included; quality is 0 when there is none. counts:
 * [mode][bin]. */
void sonic_history_read_offset(sonic_compression *out, const sonic_likelihood *tables, const uint32_t *counts,
                               int32_t grid_offset);

#endif
