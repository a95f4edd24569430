/* random.h - normal noise from an explicit generator, equal to that of PyTorch's CPU generator.
 *
 * A seed gives the values of torch.randn(generator=torch.Generator().manual_seed(seed)). The bits come from MT19937
 * (Matsumoto and Nishimura, 1998, init_genrand), pairs of normals from the Box-Muller transform (1958):
 *
 * - 16 values or more: one uniform of 24 bits in float32 per value, in order. In each block of 16, u[j] and u[j + 8]
 *   give the values j and j + 8: r cos(a), r sin(a) with r = sqrt(-2 ln(1 - u[j])), a = 2 pi u[j + 8]. If the count is
 *   no multiple of 16, the last 16 values are drawn again.
 * - Fewer: uniforms of 53 bits in double; the second value of a pair is kept for the next call of this kind.
 *
 * Source: ATen/native/cpu/DistributionTemplates.h and ATen/core/DistributionsHelper.h of PyTorch 2.13. Each function is
 * rounded to float32 once, so a seed gives the same noise on every machine. PyTorch with AVX2 differs by at most 3
 * units in the last place; without AVX2 PyTorch computes the angle in double and differs from that by up to 2.4e-6. */
#ifndef SONIC_TORCH_RANDOM_H
#define SONIC_TORCH_RANDOM_H

#include <stdbool.h>

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SONIC_GENERATOR_WORDS = 624 };

/* A copy continues with the same values. */
typedef struct sonic_generator {
    uint32_t state[SONIC_GENERATOR_WORDS];
    int32_t used; /* words of `state` consumed */
    bool has_second;
    double second; /* of the last pair that was drawn in double */
} sonic_generator;

/* As torch.Generator.manual_seed: the lower 32 bits are used; a negative seed is passed as its two's complement. */
void sonic_generator_seed(sonic_generator *generator, uint64_t seed);

/* The next `count` values of torch.randn in float32. As there, draws of m and then n values differ from one of m + n.
 */
void sonic_generator_normal(float *out, int64_t count, sonic_generator *generator);

/* The same for float16 or bfloat16: PyTorch draws in float32 and rounds, but draws no uniforms for the incomplete block
 * of 16 before it is drawn again. */
void sonic_generator_normal_half(float *out, int64_t count, sonic_generator *generator);

#ifdef __cplusplus
}
#endif
#endif
