#include "watermark/correlate.h"

#include <math.h>
#include <stdint.h>

#include "core/plane.h"

enum { N = SONIC_CORRELATE_SIDE, BITS = 8 };
#define TWO_PI 6.28318530717958647692

static void swap_rows(float *a, float *b)
{
    for (int x = 0; x < N; x++) {
        const float kept = a[x];
        a[x] = b[x], b[x] = kept;
    }
}

static void reorder(sonic_spectrum2 *square)
{
    for (uint32_t i = 0; i < N; i++) {
        uint32_t j = 0;
        for (int bit = 0; bit < BITS; bit++)
            j |= (i >> bit & 1) << (BITS - 1 - bit);
        if (i < j)
            swap_rows(square->re + i * N, square->re + j * N), swap_rows(square->im + i * N, square->im + j * N);
    }
}

SONIC_WIDE static void butterfly(float *restrict ar, float *restrict ai, float *restrict br, float *restrict bi,
                                 float c, float s)
{
    for (int x = 0; x < N; x++) {
        const float re = c * br[x] - s * bi[x], im = c * bi[x] + s * br[x];
        br[x] = ar[x] - re, bi[x] = ai[x] - im;
        ar[x] += re, ai[x] += im;
    }
}

/* Of every column; radix 2, decimation in time (J. Cooley, J. Tukey, Mathematics of Computation 19, 1965). */
static void transform_columns(sonic_spectrum2 *square)
{
    reorder(square);
    for (int half = 1; half < N; half *= 2)
        for (int k = 0; k < half; k++) {
            const double angle = -TWO_PI * k / (2.0 * half);
            const float c = (float)cos(angle), s = (float)sin(angle);
            for (int first = k; first < N; first += 2 * half) {
                const int a = first * N, b = (first + half) * N;
                butterfly(square->re + a, square->im + a, square->re + b, square->im + b, c, s);
            }
        }
}

static void transpose(float *square)
{
    enum { TILE = 16 };
    for (int top = 0; top < N; top += TILE)
        for (int left = 0; left <= top; left += TILE)
            for (int y = top; y < top + TILE; y++)
                for (int x = left; x < left + TILE && x < y; x++) {
                    const float kept = square[y * N + x];
                    square[y * N + x] = square[x * N + y], square[x * N + y] = kept;
                }
}

void sonic_spectrum2_transform(sonic_spectrum2 *square)
{
    transform_columns(square);
    transpose(square->re), transpose(square->im);
    transform_columns(square);
}

void sonic_correlate(sonic_spectrum2 *pair, const sonic_spectrum2 *pattern)
{
    sonic_spectrum2_transform(pair);
    for (int i = 0; i < SONIC_CORRELATE_COUNT; i++) {
        const float re = pair->re[i] * pattern->re[i] + pair->im[i] * pattern->im[i],
                    im = pair->im[i] * pattern->re[i] - pair->re[i] * pattern->im[i];
        pair->re[i] = re, pair->im[i] = -im; /* the inverse transform is the conjugate of the conjugate's */
    }
    sonic_spectrum2_transform(pair);
    for (int i = 0; i < SONIC_CORRELATE_COUNT; i++)
        pair->im[i] = -pair->im[i];
}
