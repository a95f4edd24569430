/* random.h - normal noise from an explicit generator, as PyTorch's generator of the CPU draws it.
 *
 * People give seeds, and expect of one what torch.randn(generator=torch.Generator().manual_seed(seed)) gives. The bits
 * come from MT19937 (Matsumoto and Nishimura, 1998, init_genrand), pairs of normals from the transform of Box and
 * Muller (1958):
 *
 *   16 values and more  uniforms of 24 bits in float32, one a value and in order; of each 16, u[j] and u[j + 8] make
 * the values j and j + 8: r cos(a), r sin(a) with r = sqrt(-2 ln(1 - u[j])), a = 2 pi u[j + 8]. Behind a count that is
 * no multiple of 16 the last 16 values are drawn anew. fewer               uniforms of 53 bits in double; the second
 * value of a pair waits for the next such call.
 *
 * Source: ATen/native/cpu/DistributionTemplates.h and ATen/core/DistributionsHelper.h of PyTorch 2.13. Each function is
 * rounded to float32 once, so that a seed gives the same noise everywhere. PyTorch's approximations are within 3 units
 * in the last place of it where the processor has AVX2; elsewhere PyTorch takes the angle in double, and what it draws
 * is up to 2.4e-6 from what it draws with AVX2.
 */
#ifndef SONIC_TORCH_RANDOM_H
#define SONIC_TORCH_RANDOM_H

#include <stdbool.h>

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SONIC_GENERATOR_WORDS = 624 };

/* Copying it copies the generator: both go on alike. */
typedef struct sonic_generator {
    uint32_t state[SONIC_GENERATOR_WORDS];
    int32_t used; /* words of `state` handed out */
    bool has_second;
    double second; /* of the last pair that was drawn in double */
} sonic_generator;

/* As torch.Generator.manual_seed: the lower 32 bits count; a negative seed is its two's complement. */
void sonic_generator_seed(sonic_generator *generator, uint64_t seed);

/* The next `count` values of torch.randn in float32. Draws of m and then n values are two calls there too, not one of m
 * + n. */
void sonic_generator_normal(float *out, int64_t count, sonic_generator *generator);

/* The same for a tensor of float16 or bfloat16: PyTorch draws in float32 and rounds, but wastes no uniforms on an
 * incomplete 16. */
void sonic_generator_normal_half(float *out, int64_t count, sonic_generator *generator);

#ifdef __cplusplus
}
#endif
#endif
