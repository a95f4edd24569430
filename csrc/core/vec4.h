/* vec4.h - vectors of four floats: SSE2 on x86-64, NEON on 64-bit ARM, else plain C. All three add and multiply in
 * the same order. */
#ifndef SONIC_CORE_VEC4_H
#define SONIC_CORE_VEC4_H

#include <stdint.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h> /* SSE2 */

typedef __m128 sonic_vec4;

static inline sonic_vec4 sonic_vec4_load(const float *p) { return _mm_loadu_ps(p); }

static inline void sonic_vec4_store(float *p, sonic_vec4 v) { _mm_storeu_ps(p, v); }

static inline sonic_vec4 sonic_vec4_scale(sonic_vec4 v, float s) { return _mm_mul_ps(v, _mm_set1_ps(s)); }

static inline sonic_vec4 sonic_vec4_add_scaled(sonic_vec4 sum, sonic_vec4 v, float s)
{
    return _mm_add_ps(sum, _mm_mul_ps(v, _mm_set1_ps(s)));
}

/* The first three as bytes, rounded to nearest, clamped to 0..255. */
static inline void sonic_vec4_to_bytes(uint8_t *out, sonic_vec4 v)
{
    __m128i words = _mm_packs_epi32(_mm_cvtps_epi32(v), _mm_setzero_si128());
    uint32_t bytes = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    out[0] = (uint8_t)bytes, out[1] = (uint8_t)(bytes >> 8), out[2] = (uint8_t)(bytes >> 16);
}

#elif defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>

typedef float32x4_t sonic_vec4;

static inline sonic_vec4 sonic_vec4_load(const float *p) { return vld1q_f32(p); }

static inline void sonic_vec4_store(float *p, sonic_vec4 v) { vst1q_f32(p, v); }

static inline sonic_vec4 sonic_vec4_scale(sonic_vec4 v, float s) { return vmulq_n_f32(v, s); }

static inline sonic_vec4 sonic_vec4_add_scaled(sonic_vec4 sum, sonic_vec4 v, float s)
{
    return vaddq_f32(sum, vmulq_n_f32(v, s));
}

static inline void sonic_vec4_to_bytes(uint8_t *out, sonic_vec4 v)
{
    int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(v));
    uint8x8_t bytes = vqmovun_s16(vcombine_s16(words, words));
    out[0] = vget_lane_u8(bytes, 0), out[1] = vget_lane_u8(bytes, 1), out[2] = vget_lane_u8(bytes, 2);
}

#else
#include <math.h> /* rintf */

typedef struct sonic_vec4 {
    float at[4];
} sonic_vec4;

static inline sonic_vec4 sonic_vec4_load(const float *p)
{
    sonic_vec4 v = {{p[0], p[1], p[2], p[3]}};
    return v;
}

static inline void sonic_vec4_store(float *p, sonic_vec4 v)
{
    for (int i = 0; i < 4; i++)
        p[i] = v.at[i];
}

static inline sonic_vec4 sonic_vec4_scale(sonic_vec4 v, float s)
{
    for (int i = 0; i < 4; i++)
        v.at[i] *= s;
    return v;
}

static inline sonic_vec4 sonic_vec4_add_scaled(sonic_vec4 sum, sonic_vec4 v, float s)
{
    for (int i = 0; i < 4; i++)
        sum.at[i] += v.at[i] * s;
    return sum;
}

static inline void sonic_vec4_to_bytes(uint8_t *out, sonic_vec4 v)
{
    for (int i = 0; i < 3; i++)
        out[i] = v.at[i] <= 0.0f ? 0 : v.at[i] >= 255.0f ? 255 : (uint8_t)rintf(v.at[i]);
}
#endif

#endif
