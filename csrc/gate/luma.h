/* luma.h - brightness of a picture and how it is spread. */
#ifndef SONIC_GATE_LUMA_H
#define SONIC_GATE_LUMA_H

#include "core/plane.h"

/* JFIF's luma, 0.299 R + 0.587 G + 0.114 B, not rounded: rounding would blur the lattice by another third of a level.
 */
void sonic_luma_convert(const sonic_plane *out, sonic_image rgb);

/* out: [256] pixels of each level, rounded. */
void sonic_luma_histogram(uint32_t out[256], const sonic_plane *luma);

/* Least level that `share` of the pixels do not exceed. */
int32_t sonic_luma_quantile(const uint32_t histogram[256], double share);

/* Share of equal neighbours along rows within two pixels of a step of more than 4 levels: pictures enlarged by
 * repeating pixels have many. */
double sonic_luma_repeated(const sonic_plane *luma);

#endif
