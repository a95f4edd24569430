#include "torch/random.h"

#include <math.h>

#include "torch/tensor.h"

static const double PI = 3.14159265358979323846;

enum { BLOCK = 16, SHIFT = 397 };

void sonic_generator_seed(sonic_generator *generator, uint64_t seed)
{
    generator->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < SONIC_GENERATOR_WORDS; i++)
        generator->state[i] = 1812433253u * (generator->state[i - 1] ^ generator->state[i - 1] >> 30) + i;
    generator->used = SONIC_GENERATOR_WORDS;
    generator->has_second = false;
    generator->second = 0;
}

static void renew(uint32_t state[SONIC_GENERATOR_WORDS])
{
    for (int32_t i = 0; i < SONIC_GENERATOR_WORDS; i++) {
        uint32_t joined = (state[i] & 0x80000000u) | (state[(i + 1) % SONIC_GENERATOR_WORDS] & 0x7fffffffu);
        state[i] = state[(i + SHIFT) % SONIC_GENERATOR_WORDS] ^ joined >> 1 ^ (joined & 1 ? 0x9908b0dfu : 0);
    }
}

static uint32_t word(sonic_generator *generator)
{
    if (generator->used == SONIC_GENERATOR_WORDS) {
        renew(generator->state);
        generator->used = 0;
    }
    uint32_t y = generator->state[generator->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static void uniforms(float *out, int64_t count, sonic_generator *generator)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(word(generator) & 0xffffffu) * 0x1p-24f;
}

static double uniform_in_double(sonic_generator *generator)
{
    uint64_t high = word(generator);
    return (double)((high << 32 | word(generator)) & 0x1fffffffffffffu) * 0x1p-53;
}

/* Box-Muller: 16 uniforms become 16 normals. */
static void transform(float x[BLOCK])
{
    for (int32_t j = 0; j < BLOCK / 2; j++) {
        float logarithm = (float)log((double)(1.0f - x[j])), angle = (float)(2.0 * PI) * x[j + BLOCK / 2];
        float radius = sqrtf(-2.0f * logarithm);
        x[j] = radius * (float)cos((double)angle);
        x[j + BLOCK / 2] = radius * (float)sin((double)angle);
    }
}

static double next_of_pair(sonic_generator *generator)
{
    if (generator->has_second) {
        generator->has_second = false;
        return generator->second;
    }
    double angle = 2.0 * PI * uniform_in_double(generator), radius = sqrt(-2.0 * log1p(-uniform_in_double(generator)));
    generator->second = radius * sin(angle);
    generator->has_second = true;
    return radius * cos(angle);
}

static void redraw_last_block(float *out, int64_t count, sonic_generator *generator)
{
    if (count % BLOCK == 0)
        return;
    uniforms(out + count - BLOCK, BLOCK, generator);
    transform(out + count - BLOCK);
}

static void draw(float *out, int64_t count, int64_t first_uniforms, sonic_generator *generator)
{
    for (int64_t i = 0; i < count && count < BLOCK; i++)
        out[i] = (float)next_of_pair(generator);
    if (count < BLOCK)
        return;
    uniforms(out, first_uniforms, generator);
    for (int64_t i = 0; i + BLOCK <= count; i += BLOCK)
        transform(out + i);
    redraw_last_block(out, count, generator);
}

void sonic_generator_normal(float *out, int64_t count, sonic_generator *generator)
{
    draw(out, count, count, generator);
}

void sonic_generator_normal_half(float *out, int64_t count, sonic_generator *generator)
{
    draw(out, count, count / BLOCK * BLOCK, generator);
}

sonic_tensor *st_normal(sonic_scope *scope, sonic_generator *generator, sonic_shape shape, sonic_dtype dtype)
{
    sonic_tensor *x = st_zeros(scope, shape);
    if (!x)
        return NULL;
    if (dtype == SONIC_DTYPE_FLOAT32) {
        sonic_generator_normal(st_data(x), st_count(x), generator);
        return x;
    }
    sonic_generator_normal_half(st_data(x), st_count(x), generator);
    return st_to_dtype(scope, st_take(x), dtype);
}
