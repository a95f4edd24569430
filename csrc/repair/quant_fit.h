/* quant_fit.h - whether a plane's coefficients lie on the multiples of quantisation steps, for one position of the
 * grid. */
#ifndef SONIC_REPAIR_QUANT_FIT_H
#define SONIC_REPAIR_QUANT_FIT_H

#include "repair/plane.h"

/* Least mean for a grid to be certain, and least number of coefficients that it is the mean of. */
#define SONIC_QUANT_FIT_CONFIDENT 0.5
#define SONIC_QUANT_FIT_COUNT_MIN 100

typedef struct sonic_quant_fit {
    /* Of 1 - 12 r^2, r from -1/2 to 1/2 being the distance from the nearest multiple in steps: by chance 0 on average,
     * 1 on the lattice */
    double sum;
    /* Coefficients with a nearest multiple other than 0 and a step of at least 5 levels; the mean of blocks is left out
     * */
    int64_t count;
} sonic_quant_fit;

/* Adds to *fit; of a large plane every n-th row of blocks. */
void sonic_quant_fit_add(sonic_quant_fit *fit, const sonic_plane *plane, const sonic_repair_grid *grid);

/* 0..1, 0 when there is too little to tell. */
double sonic_quant_fit_mean(const sonic_quant_fit *fit);

#endif
