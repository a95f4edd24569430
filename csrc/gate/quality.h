/* quality.h - the quantisation tables of the JPEG standard's Annex K, scaled by "quality" as the Independent JPEG Group
 * does.
 *
 * Sources: ITU-T T.81 (1992), tables K.1 and K.2; libjpeg's jcparam.c for the scaling. Tables are in natural order,
 * [vertical frequency * 8 + horizontal frequency]. */
#ifndef SONIC_GATE_QUALITY_H
#define SONIC_GATE_QUALITY_H

#include "sonic.h"

#define SONIC_QUALITY_MAX 100

/* Step 1..255 of mode `mode` (0..63) at quality 1..100; component 0 is luma, any other chroma. */
int32_t sonic_quality_step(int32_t quality, int32_t component, int32_t mode);

/* What a quantisation table amounts to. */
typedef struct sonic_quality_estimate {
    int32_t quality;  /* 1..100, the standard table nearest in the logarithm of the steps of the 15 lowest modes */
    int32_t standard; /* 1 when the table is exactly that one */
} sonic_quality_estimate;

/* table: [64] steps, at least 1. */
sonic_quality_estimate sonic_quality_of_table(const uint16_t *table, int32_t component);

#endif
