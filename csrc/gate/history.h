/* history.h - what the counts of lattice.h tell of a picture's compressions. */
#ifndef SONIC_GATE_HISTORY_H
#define SONIC_GATE_HISTORY_H

#include "gate/double_compression.h"
#include "gate/blockiness.h"
#include "gate/likelihood.h"

/* Least sum of log likelihood ratios for a table to be believed. Pictures that never were JPEGs stay thousands below.
 */
#define SONIC_HISTORY_THRESHOLD 150.0f

/* One compression that the coefficients show. */
typedef struct sonic_compression {
    int32_t quality;  /* standard table 5..98; 0 when none is believed */
    int32_t phase;    /* (y & 7) * 8 + (x & 7) of its grid */
    int32_t turned;   /* 1 when the picture was rotated by a quarter since */
    float sigma;      /* disturbance since, grey levels */
    float likelihood; /* sum of log likelihood ratios */
    float margin;     /* what it has above the best position that shares neither row nor column with it */
} sonic_compression;

typedef struct sonic_history {
    sonic_compression strongest; /* the best explanation: as a rule the last compression */
    /* The lowest quality that is believed; equal to `strongest` when there was one compression */
    sonic_compression coarsest;
    sonic_compression custom; /* steps found one by one: quality is that of the standard table nearest to them */
    sonic_earlier earlier;    /* a coarser compression on the grid of `strongest` */
    int32_t custom_modes;     /* modes, of 14, whose step is certain */
    sonic_grid grid;
} sonic_history;

/* counts: [phase][mode][bin]. */
void sonic_history_read(sonic_history *out, const sonic_likelihood *tables, const uint32_t *counts);

/* The coarsest compression that the counts [mode][bin] of one position tell of, tables that are not the standard's
 * included; quality is 0 when there is none. */
void sonic_history_read_position(sonic_compression *out, const sonic_likelihood *tables, const uint32_t *counts,
                                 int32_t phase);

#endif
