/* plane.h - one channel of an image in floating point, and the mark of loops that gain from wider vectors. */
#ifndef SONIC_CORE_PLANE_H
#define SONIC_CORE_PLANE_H

#include "sonic.h"

/* [height_px][width_px] without gaps between rows, levels 0..255 unless stated otherwise. */
typedef struct sonic_plane {
    float *data;
    int32_t width_px, height_px;
} sonic_plane;

static inline const float *sonic_plane_row(const sonic_plane *plane, int32_t y)
{
    return plane->data + (ptrdiff_t)y * plane->width_px;
}

/* Compiles a function a second time for 256-bit vectors; the loader chooses, where compiler and system support that.
 * AVX2 without fused multiply-add: results are the same on every machine. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) &&                       \
    !defined(__SANITIZE_ADDRESS__)
#define SONIC_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define SONIC_WIDE
#endif

#endif
