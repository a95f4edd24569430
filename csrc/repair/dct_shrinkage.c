#include "repair/dct_shrinkage.h"

#include <string.h>

#include "repair/dct.h"

#define STRIDE SONIC_SHRINKAGE_STRIDE
#define HALO SONIC_SHRINKAGE_HALO
#define STRIP 64 /* block positions whose coefficients are held at a time, 16 KB */
#define MARGIN 7

typedef struct strip {
    float coefficient[64][STRIP];
    float kept[STRIP]; /* number of nonzero coefficients */
    float weight[MARGIN + STRIP + MARGIN + 2];
    float sample[8][MARGIN + STRIP + MARGIN + 2]; /* with zeros on both sides */
} strip;

SONIC_WIDE
static void down_forward(float *restrict out, const float *restrict in)
{
    for (int x = 0; x < STRIDE; x++) {
        sonic_eight s, f;
        for (int k = 0; k < 8; k++)
            s.v[k] = in[k * STRIDE + x];
        f = sonic_dct_forward(s);
        for (int k = 0; k < 8; k++)
            out[k * STRIDE + x] = f.v[k];
    }
}

SONIC_WIDE
static void down_inverse(float *restrict sum, const float *restrict in)
{
    for (int x = 0; x < STRIDE; x++) {
        sonic_eight s, f;
        for (int k = 0; k < 8; k++)
            f.v[k] = in[k * STRIDE + x];
        s = sonic_dct_inverse(f);
        for (int k = 0; k < 8; k++)
            sum[k * STRIDE + x] += s.v[k];
    }
}

/* Horizontal DCT of one vertical frequency, for STRIP blocks that begin at neighbouring columns. */
SONIC_WIDE
static void across_forward(float *restrict out, const float *restrict in)
{
    for (int x = 0; x < STRIP; x++) {
        sonic_eight s, f;
        for (int k = 0; k < 8; k++)
            s.v[k] = in[x + k];
        f = sonic_dct_forward(s);
        for (int k = 0; k < 8; k++)
            out[k * STRIP + x] = f.v[k];
    }
}

/* The comparison is a number: compilers would turn a conditional into branches here. */
SONIC_WIDE
static void zero_small(float *restrict values, float *restrict kept, float limit)
{
    for (int x = 0; x < STRIP; x++) {
        const int32_t keep = (values[x] >= limit) | (values[x] <= -limit);
        kept[x] += (float)keep;
        values[x] *= (float)keep;
    }
}

SONIC_WIDE
static void across_inverse(float *restrict out, const float *restrict in, const float *restrict weight)
{
    for (int x = 0; x < STRIP; x++) {
        sonic_eight s, f;
        for (int k = 0; k < 8; k++)
            f.v[k] = in[k * STRIP + x] * weight[x];
        s = sonic_dct_inverse(f);
        for (int k = 0; k < 8; k++)
            out[k * (MARGIN + STRIP + MARGIN + 2) + x] = s.v[k];
    }
}

/* Sums over the blocks: sample k of the block at x - k lies at x. */
SONIC_WIDE
static void gather(float *restrict out, const float (*restrict sample)[MARGIN + STRIP + MARGIN + 2])
{
    for (int x = 0; x < STRIP + MARGIN; x++)
        out[x] += ((sample[0][MARGIN + x] + sample[1][MARGIN - 1 + x]) +
                   (sample[2][MARGIN - 2 + x] + sample[3][MARGIN - 3 + x])) +
                  ((sample[4][MARGIN - 4 + x] + sample[5][MARGIN - 5 + x]) +
                   (sample[6][MARGIN - 6 + x] + sample[7][MARGIN - 7 + x]));
}

SONIC_WIDE
static void gather_weight(float *restrict out, const float *restrict w)
{
    for (int x = 0; x < STRIP + MARGIN; x++)
        out[x] += ((w[MARGIN + x] + w[MARGIN - 1 + x]) + (w[MARGIN - 2 + x] + w[MARGIN - 3 + x])) +
                  ((w[MARGIN - 4 + x] + w[MARGIN - 5 + x]) + (w[MARGIN - 6 + x] + w[MARGIN - 7 + x]));
}

SONIC_WIDE
static void fill_weights(float *restrict weight, const float *restrict kept)
{
    for (int x = 0; x < STRIP; x++)
        weight[x] = 1.0f / kept[x];
}

SONIC_WIDE
static void spread_weight(float *restrict weight, const float *restrict row)
{
    for (int k = 0; k < 8; k++)
        for (int x = 0; x < STRIDE; x++)
            weight[k * STRIDE + x] += row[x];
}

SONIC_WIDE
static void normalise(float *restrict sum, const float *restrict weight)
{
    for (int x = 0; x < STRIDE; x++)
        sum[x] *= (1.0f / 64) / weight[x];
}

static void shrink_strip(strip *s, sonic_shrinkage_tile *tile, int begin, const float limits[64])
{
    memset(s->kept, 0, sizeof s->kept);
    for (int u = 0; u < 8; u++)
        across_forward(s->coefficient[8 * u], tile->down + u * STRIDE + begin);
    for (int k = 0; k < 64; k++)
        zero_small(s->coefficient[k], s->kept, limits[k]);
    fill_weights(s->weight + MARGIN, s->kept);
    gather_weight(tile->across_weight + begin, s->weight);
    for (int u = 0; u < 8; u++) {
        across_inverse(s->sample[0] + MARGIN, s->coefficient[8 * u], s->weight + MARGIN);
        gather(tile->across + u * STRIDE + begin, (const float (*)[MARGIN + STRIP + MARGIN + 2]) s->sample);
    }
}

void sonic_dct_shrink(sonic_shrinkage_tile *tile, int32_t rows, int32_t columns, const float limits[64])
{
    strip s;
    float scaled[64];
    memset(s.weight, 0, sizeof s.weight);
    memset(s.sample, 0, sizeof s.sample);
    memset(tile->sum, 0, sizeof tile->sum);
    memset(tile->weight, 0, sizeof tile->weight);
    for (int k = 0; k < 64; k++)
        scaled[k] = k ? 8 * limits[k] : 0;
    for (int32_t y = 0; y < rows + HALO; y++) {
        memset(tile->across, 0, sizeof tile->across);
        memset(tile->across_weight, 0, sizeof tile->across_weight);
        down_forward(tile->down, tile->in + y * STRIDE);
        for (int begin = 0; begin < columns + HALO; begin += STRIP)
            shrink_strip(&s, tile, begin, scaled);
        down_inverse(tile->sum + y * STRIDE, tile->across);
        spread_weight(tile->weight + y * STRIDE, tile->across_weight);
    }
    for (int32_t y = HALO; y < rows + HALO; y++)
        normalise(tile->sum + y * STRIDE, tile->weight + y * STRIDE);
}
