/* canonical.h - luma of frames of any size at the size of the watermark's grid, added up. */
#ifndef SONIC_WATERMARK_CANONICAL_H
#define SONIC_WATERMARK_CANONICAL_H

#include "core/plane.h"

/* Where the values of one axis come from: `count[i]` pixels from `first[i]` on, weighted. */
typedef struct sonic_axis {
    int32_t size, in_px, taps;
    int32_t *first, *count;
    float *weights; /* [size][taps] */
} sonic_axis;

typedef struct sonic_canonical {
    sonic_axis x, y;
    float *rows; /* [in height][x.size] */
    int32_t width_px, height_px;
} sonic_canonical;

/* The shorter side becomes 256 px; of the longer one, at most 512 px are kept. Sides of 1 to 8192 px.
 * SONIC_ERROR_ARGUMENT, SONIC_ERROR_MEMORY. Zero `canonical` before; free it after any result. */
sonic_status sonic_canonical_create(sonic_canonical *canonical, int32_t width_px, int32_t height_px);
void sonic_canonical_free(sonic_canonical *canonical);

/* Adds the luma (ITU-R BT.601, levels) of `frame` to `sum` [y.size][x.size]: means of areas where it gets smaller,
 * linear between pixels where it gets larger. The frame has the size of `create` and 3 channels. */
void sonic_canonical_add(float *sum, sonic_canonical *canonical, sonic_image frame);

#endif
