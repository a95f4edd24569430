/* luma.h - the luma of an image, its exposure and its repeated pixels. */
#ifndef SONIC_GATE_LUMA_H
#define SONIC_GATE_LUMA_H

#include "core/plane.h"

/* JFIF's luma, 0.299 R + 0.587 G + 0.114 B, without rounding: that would add another third of a level of noise to the
 * DCT coefficients. out has the size of rgb. */
void sonic_luma_convert(const sonic_plane *out, sonic_image rgb);

/* 0 levels and shares when no pixel counts. */
typedef struct sonic_exposure {
    double mean, deviation; /* levels */
    double dark_share;      /* of pixels <= 2 */
    double bright_share;    /* of pixels >= 253 */
    int32_t low, high;      /* 1st and 99th percentile, levels */
} sonic_exposure;

/* alpha: [height, width, 1] of an image with transparent parts: pixels below SONIC_ALPHA_OPAQUE do not count; data
 * NULL: all count. */
void sonic_luma_exposure(sonic_exposure *out, const sonic_plane *luma, sonic_image alpha);

/* Share of equal neighbours along rows within two pixels of a step of more than 4 levels, 0..1: high in images that
 * were enlarged by repeating pixels. */
double sonic_luma_repeated(const sonic_plane *luma);

#endif
