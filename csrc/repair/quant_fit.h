/* quant_fit.h - how well the coefficients of a plane fit multiples of quantisation steps, for a given grid. */
#ifndef SONIC_REPAIR_QUANT_FIT_H
#define SONIC_REPAIR_QUANT_FIT_H

#include "repair/plane.h"

/* Least mean for a grid to be accepted, and least number of coefficients. Chosen by hand on the photos of
 * bench/repair.py; tests/repair/test_bounds.py has wrong offsets below 0.4. */
#define SONIC_QUANT_FIT_CONFIDENT 0.5
#define SONIC_QUANT_FIT_COUNT_MIN 100

typedef struct sonic_quant_fit {
    double sum; /* of 1 - 12 r^2, r in -1/2..1/2: distance from the nearest multiple in steps; 0 on average by chance */
    int64_t count; /* coefficients with a multiple other than 0 and a step of at least 5 levels; block means excluded */
} sonic_quant_fit;

/* Adds the coefficients of a plane to *fit; of a large plane those of every n-th row of blocks. */
void sonic_quant_fit_add(sonic_quant_fit *fit, const sonic_plane *plane, const sonic_repair_grid *grid);

/* 0..1; 0 with fewer than SONIC_QUANT_FIT_COUNT_MIN coefficients. */
double sonic_quant_fit_mean(const sonic_quant_fit *fit);

#endif
