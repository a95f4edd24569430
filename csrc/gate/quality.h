/* quality.h - the standard quantisation tables (ITU-T T.81, 1992, tables K.1 and K.2), scaled by a quality of 1..100 as
 * in libjpeg's jcparam.c. Tables are in natural order: [vertical frequency * 8 + horizontal frequency]. */
#ifndef SONIC_GATE_QUALITY_H
#define SONIC_GATE_QUALITY_H

#include "sonic.h"

#define SONIC_QUALITY_MAX 100

/* Step, 1..255, of mode 0..63 at quality 1..100; component 0 is luma, any other chroma. */
int32_t sonic_quality_step(int32_t quality, int32_t component, int32_t mode);

/* The standard table nearest to a quantisation table. */
typedef struct sonic_quality_estimate {
    int32_t quality;  /* 1..100; distance: logarithms of the steps of the 15 lowest modes */
    int32_t standard; /* 1 when all 64 steps are equal */
} sonic_quality_estimate;

/* table: [64] steps, at least 1. */
sonic_quality_estimate sonic_quality_of_table(const uint16_t *table, int32_t component);

#endif
