/* random.h - random numbers of the draft engine: the same seed gives the same blinks and sway on every machine.
 * Source: PCG32 (XSH-RR 64/32), M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms
 * for Random Number Generation", Harvey Mudd College HMC-CS-2014-0905. */
#ifndef SONIC_CORE_RANDOM_H
#define SONIC_CORE_RANDOM_H

#include <stdint.h>

typedef struct sonic_random {
    uint64_t state, increment;
} sonic_random;

static inline uint32_t sonic_random_u32(sonic_random *random)
{
    uint64_t old = random->state;
    random->state = old * 6364136223846793005ULL + random->increment;
    uint32_t mixed = (uint32_t)(((old >> 18) ^ old) >> 27), shift = (uint32_t)(old >> 59);
    return (mixed >> shift) | (mixed << ((32 - shift) & 31));
}

/* Streams of one seed are independent sequences. */
static inline sonic_random sonic_random_create(uint64_t seed, uint64_t stream)
{
    sonic_random random = {0, stream << 1 | 1};
    sonic_random_u32(&random);
    random.state += seed;
    sonic_random_u32(&random);
    return random;
}

/* Uniform in [0, 1), 24 bits: exact in float. */
static inline float sonic_random_uniform(sonic_random *random)
{
    return (float)(sonic_random_u32(random) >> 8) * (1.0f / 16777216.0f);
}

#endif
