/* portable.h - the language of the kernels (*.cu): one source for the card and for C.
 *
 * On the card NVRTC compiles it without headers of the system. In C, blocks and threads are loops, which makes the
 * kernels' results known without a card: tests compile the same files so, once for each type of number.
 *
 *     KERNEL(name, arguments)      a function of one block; its arguments are `a`, its place BLOCK_X and BLOCK_Y
 *     {
 *         SHARED float sums[...];
 *         THREADS { ... thread ... }    a phase; no variable but shared ones outlives it
 *         BARRIER();                    between phases
 *     }
 *
 * SONIC_VALUE says what the tensors hold, as sonic_dtype: 0 float32, 1 float16, 2 bfloat16. Arithmetic is float32. */
#ifndef SONIC_KERNELS_PORTABLE_H
#define SONIC_KERNELS_PORTABLE_H

#include "kernels/arguments.h"

#ifndef SONIC_VALUE
#define SONIC_VALUE 0
#endif

#if defined(__CUDACC_RTC__)

#define DEVICE static __device__ __forceinline__
#define SHARED __shared__
#define BARRIER() __syncthreads()
#define THREADS for (int thread = (int)threadIdx.x, pass = 0; pass < 1; pass++)
#define BLOCK_X ((long long)blockIdx.x)
#define BLOCK_Y ((long long)blockIdx.y)
#define KERNEL(name, arguments) extern "C" __global__ void __launch_bounds__(KERNEL_THREADS) name(const arguments a)

DEVICE float half_to_float(unsigned short bits)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

DEVICE unsigned short float_to_half(float value)
{
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

DEVICE float bits_to_float(unsigned int bits) { return __uint_as_float(bits); }
DEVICE unsigned int float_to_bits(float value) { return __float_as_uint(value); }

#else

#include <math.h>   /* expf, erff */
#include <string.h> /* memcpy */

#define DEVICE static inline
#define SHARED
#define BARRIER() ((void)0)
#define THREADS for (int thread = 0; thread < KERNEL_THREADS; thread++)
#define BLOCK_X block_x
#define BLOCK_Y block_y
#define KERNEL(name, arguments) static void name(const arguments a, long long block_x, long long block_y)

DEVICE float bits_to_float(unsigned int bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

DEVICE unsigned int float_to_bits(float value)
{
    unsigned int bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* IEEE 754 binary16. Subnormal numbers are multiples of 2^-24. */
DEVICE float half_to_float(unsigned short bits)
{
    unsigned int sign = (unsigned int)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 0) {
        float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    return bits_to_float(sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13);
}

/* To the nearest, ties to even. */
DEVICE unsigned short float_to_half(float value)
{
    unsigned int bits = float_to_bits(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000)
        return (unsigned short)(sign | 0x7fff); /* NaN */
    if (size >= 0x477ff000)
        return (unsigned short)(sign | 0x7c00); /* 65520 and more round to infinity */
    if (size < 0x38800000)                      /* below 2^-14 */
        return (unsigned short)(sign | (unsigned int)rintf(bits_to_float(size) * 0x1p24f));
    return (unsigned short)(sign | (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13);
}

#endif

/* bfloat16 is the upper half of a float32. */
DEVICE float bfloat_to_float(unsigned short bits) { return bits_to_float((unsigned int)bits << 16); }

/* To the nearest, ties to even. */
DEVICE unsigned short float_to_bfloat(float value)
{
    unsigned int bits = float_to_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (unsigned short)(bits >> 16 | 0x40); /* NaN */
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Two numbers side by side: tensors are read and written in pairs. */
typedef struct number_pair {
    float x, y;
} number_pair;

#if SONIC_VALUE == 0
typedef float value;
#define TO_FLOAT(stored) (stored)
#define FROM_FLOAT(number) (number)
#elif SONIC_VALUE == 1
typedef unsigned short value;
#define TO_FLOAT(stored) half_to_float(stored)
#define FROM_FLOAT(number) float_to_half(number)
#elif SONIC_VALUE == 2
typedef unsigned short value;
#define TO_FLOAT(stored) bfloat_to_float(stored)
#define FROM_FLOAT(number) float_to_bfloat(number)
#endif

/* x[i] and x[i + 1]; i is even and x is aligned to a pair. */
DEVICE number_pair load_pair(const void *x, long long i)
{
#if defined(__CUDACC_RTC__) && SONIC_VALUE == 0
    float2 both = ((const float2 *)x)[i / 2];
    number_pair pair = {both.x, both.y};
#elif defined(__CUDACC_RTC__)
    unsigned int both = ((const unsigned int *)x)[i / 2];
    number_pair pair = {TO_FLOAT((unsigned short)both), TO_FLOAT((unsigned short)(both >> 16))};
#else
    const value *at = (const value *)x + i;
    number_pair pair = {TO_FLOAT(at[0]), TO_FLOAT(at[1])};
#endif
    return pair;
}

DEVICE void store_pair(void *x, long long i, number_pair pair)
{
#if defined(__CUDACC_RTC__) && SONIC_VALUE == 0
    ((float2 *)x)[i / 2] = make_float2(pair.x, pair.y);
#elif defined(__CUDACC_RTC__)
    ((unsigned int *)x)[i / 2] = (unsigned int)FROM_FLOAT(pair.y) << 16 | FROM_FLOAT(pair.x);
#else
    value *at = (value *)x + i;
    at[0] = FROM_FLOAT(pair.x), at[1] = FROM_FLOAT(pair.y);
#endif
}

DEVICE float silu(float x) { return x / (1.0f + expf(-x)); }

/* x times the normal distribution function (Hendrycks and Gimpel, 2016). */
DEVICE float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

#endif
