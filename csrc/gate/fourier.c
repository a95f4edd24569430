#include "gate/fourier.h"

#include <math.h>
#include <string.h>

#include "core/plane.h" /* SONIC_WIDE */

#define N SONIC_FOURIER_BLOCK
#define TWO_PI 6.283185307179586476925

static void swap_reversed(float *re, float *im, int32_t count)
{
    for (int32_t i = 1, j = 0; i < count; i++) {
        int32_t bit = count >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            float r = re[i], m = im[i];
            re[i] = re[j], im[i] = im[j];
            re[j] = r, im[j] = m;
        }
    }
}

void sonic_fourier_sequence(float *re, float *im, int32_t count)
{
    swap_reversed(re, im, count);
    for (int32_t half = 1; half < count; half *= 2)
        for (int32_t k = 0; k < half; k++) {
            float c = (float)cos(TWO_PI * k / (2 * half)), s = (float)-sin(TWO_PI * k / (2 * half));
            for (int32_t i = k; i < count; i += 2 * half) {
                float r = re[i + half] * c - im[i + half] * s, m = re[i + half] * s + im[i + half] * c;
                re[i + half] = re[i] - r, im[i + half] = im[i] - m;
                re[i] += r, im[i] += m;
            }
        }
}

void sonic_fourier_tables_init(sonic_fourier_tables *tables)
{
    for (int k = 0; k < N / 2; k++) {
        tables->cosine[k] = (float)cos(TWO_PI * k / N);
        tables->sine[k] = (float)-sin(TWO_PI * k / N);
    }
    for (int i = 0; i < N; i++)
        tables->window[i] = (float)(0.5 - 0.5 * cos(TWO_PI * (i + 0.5) / N));
}

static const uint8_t reversed[N] = {0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30,
                                    1, 17, 9, 25, 5, 21, 13, 29, 3, 19, 11, 27, 7, 23, 15, 31};

/* A butterfly between two rows. */
static inline void butterfly(float *restrict ar, float *restrict ai, float *restrict br, float *restrict bi, float c,
                             float s)
{
    for (int x = 0; x < N; x++) {
        float r = br[x] * c - bi[x] * s, m = br[x] * s + bi[x] * c;
        br[x] = ar[x] - r, bi[x] = ai[x] - m;
        ar[x] += r, ai[x] += m;
    }
}

/* Transforms all columns; rows are in bit-reversed order. */
SONIC_WIDE
static void transform_columns(sonic_fourier_block *b, const sonic_fourier_tables *tables)
{
    for (int half = 1; half < N; half *= 2)
        for (int i = 0; i < N; i += 2 * half)
            for (int k = 0; k < half; k++) {
                int w = k * (N / 2 / half);
                butterfly(b->re[i + k], b->im[i + k], b->re[i + k + half], b->im[i + k + half], tables->cosine[w],
                          tables->sine[w]);
            }
}

void sonic_fourier_transform(sonic_fourier_block *block, sonic_fourier_block *scratch,
                             const sonic_fourier_tables *tables)
{
    for (int y = 0; y < N; y++) {
        memcpy(scratch->re[y], block->re[reversed[y]], sizeof scratch->re[y]);
        memcpy(scratch->im[y], block->im[reversed[y]], sizeof scratch->im[y]);
    }
    transform_columns(scratch, tables);
    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++) {
            block->re[x][y] = scratch->re[y][reversed[x]];
            block->im[x][y] = scratch->im[y][reversed[x]];
        }
    transform_columns(block, tables);
}
