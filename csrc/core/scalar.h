/* scalar.h - clamping and easing of single numbers. */
#ifndef SONIC_CORE_SCALAR_H
#define SONIC_CORE_SCALAR_H

#include <stdint.h>

/* x within low .. high; NaN stays NaN. */
static inline float sonic_clampf(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

static inline double sonic_clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

static inline float sonic_clamp01(float x) { return sonic_clampf(x, 0.0f, 1.0f); }

/* The nearest valid index of an array of `count` > 0 entries: its border is repeated. */
static inline int32_t sonic_clamp_index(int32_t i, int32_t count) { return i < 0 ? 0 : i >= count ? count - 1 : i; }

/* 3x^2 - 2x^3 on 0 .. 1, constant outside. */
static inline float sonic_smoothstep(float x)
{
    x = sonic_clamp01(x);
    return x * x * (3.0f - 2.0f * x);
}

#endif
