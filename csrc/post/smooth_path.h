/* smooth_path.h - shake told apart from movement: a path as a smooth curve plus white noise.
 *
 * The curve is Whittaker's ("On a new method of graduation", 1923): it minimises the squared distance to the path plus lambda times its
 * squared second differences. Generalised cross-validation (Craven and Wahba 1978; weighted by 1.4 as Kim and Gu 2004 advise) chooses lambda, so that a moving camera keeps its
 * movement and a tripod becomes still. What is left of the path is the shake. */
#ifndef SONIC_POST_SMOOTH_PATH_H
#define SONIC_POST_SMOOTH_PATH_H

#include <stdint.h>

#define SONIC_PATH_MAX 64
#define SONIC_PATH_MIN 8
#define SONIC_PATH_STIFFNESSES 8

/* Degrees of freedom of every curve; filled once, read from any thread. */
typedef struct sonic_path_table {
    double freedom[SONIC_PATH_STIFFNESSES][SONIC_PATH_MAX + 1];
} sonic_path_table;

typedef struct sonic_path_fit {
    double correction; /* curve minus path at the point asked for */
    double sigma;      /* standard deviation of the shake */
    double whiteness;  /* 0..1: 1 when successive steps answer each other as those of white shake do, 0 for movement */
} sonic_path_fit;

void sonic_path_table_fill(sonic_path_table *table);

/* The path that takes steps[count], at point `at` of 0 .. count; count at most SONIC_PATH_MAX - 1. With fewer than SONIC_PATH_MIN steps
 * everything is 0. */
sonic_path_fit sonic_path_smooth(const sonic_path_table *table, const double *steps, int32_t count, int32_t at);

#endif
