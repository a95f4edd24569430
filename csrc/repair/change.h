/* change.h - how much a repair changed. */
#ifndef SONIC_REPAIR_CHANGE_H
#define SONIC_REPAIR_CHANGE_H

#include "sonic.h"

/* Mean square of the luma difference of two RGB images of `count` pixels, levels^2. */
double sonic_repair_change(const uint8_t *before, const uint8_t *after, int64_t count);

#endif
