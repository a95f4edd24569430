#include "gate/blockiness.h"

#include <math.h>
#include <string.h>

#include "core/plane.h" /* SONIC_WIDE */
#include "gate/quality.h"

#define OFFSETS SONIC_GRID_OFFSETS
#define MODES SONIC_DCT_MODES
#define BINS SONIC_DCT_BINS
#define COARSE 14 /* merged bins */

/* Chosen by hand on the variants of bench/gate.py. */
#define ZEROED_MODES 5     /* modes that lost coefficients: at half a block, an edge of a resized one, only 1 or 2 do */
#define ZEROED_SHARE 0.01f /* of a mode's coefficients, from which it counts as one of them */
#define ZEROED_BINS 24     /* six levels: zeroed coefficients are still near zero below noise */

typedef uint32_t coarse_counts[OFFSETS][MODES][COARSE];

/* First bin of each merged one: one level wide near zero, then wider as coefficients get rarer. */
static const int16_t coarse_start[COARSE + 1] = {0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, BINS - 1};

static void merge_bins(coarse_counts out, const uint32_t *counts)
{
    for (int p = 0; p < OFFSETS; p++)
        for (int m = 0; m < MODES; m++, counts += BINS)
            for (int c = 0; c < COARSE; c++) {
                uint32_t sum = 0;
                for (int bin = coarse_start[c]; bin < coarse_start[c + 1]; bin++)
                    sum += counts[bin];
                out[p][m][c] = sum;
            }
}

/* Counts of one mode over all offsets, and over those of each row and each column. */
typedef struct pools {
    uint64_t all[COARSE], row[8][COARSE], column[8][COARSE];
} pools;

static void pool_mode(pools *out, coarse_counts counts, int m)
{
    memset(out, 0, sizeof *out);
    for (int o = 0; o < OFFSETS; o++)
        for (int c = 0; c < COARSE; c++) {
            out->all[c] += counts[o][m][c];
            out->row[o / 8][c] += counts[o][m][c];
            out->column[o % 8][c] += counts[o][m][c];
        }
}

/* Counts at all offsets apart from p; whole numbers below 2^53, so every order of the sums gives the same. */
static void pool_others(double pooled[COARSE], const pools *mode, const uint32_t own[COARSE], int p)
{
    for (int c = 0; c < COARSE; c++)
        pooled[c] = 0.5 + (double)(int64_t)(mode->all[c] - mode->row[p / 8][c] - mode->column[p % 8][c] + own[c]);
}

static double divergence(const uint32_t own[COARSE], const double pooled[COARSE])
{
    double n = 0, all = 0, sum = 0;
    for (int c = 0; c < COARSE; c++)
        n += own[c], all += pooled[c];
    if (n < 1)
        return 0;
    for (int c = 0; c < COARSE; c++)
        if (own[c])
            sum += own[c] / n * log(own[c] / n * all / pooled[c]);
    return sum - (COARSE - 1) / (2 * n);
}

SONIC_WIDE
static void add_counts(float *restrict sums, const uint32_t *restrict counts, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        sums[i] += (float)(int32_t)counts[i];
}

/* Cumulative distributions of a mode at one offset and at those apart from it; the number of its coefficients. */
static double cumulate(float own[BINS], float others[BINS], const uint32_t *counts, int grid_offset, int mode)
{
    double a = 0, b = 0;
    const uint32_t *at = counts + ((size_t)grid_offset * MODES + (size_t)mode) * BINS;
    memset(others, 0, BINS * sizeof *others);
    for (int p = 0; p < OFFSETS; p++)
        if (sonic_grid_offsets_apart(p, grid_offset))
            add_counts(others, counts + ((size_t)p * MODES + (size_t)mode) * BINS, BINS - 1);
    for (int bin = 0; bin < BINS - 1; bin++)
        own[bin] = (float)(a += at[bin]), others[bin] = (float)(b += others[bin]);
    for (int bin = 0; bin < BINS - 1; bin++)
        own[bin] /= (float)(a > 0 ? a : 1), others[bin] /= (float)(b > 0 ? b : 1);
    return b > 0 ? a : 0;
}

/* The step that zeroed coefficients at this offset. Where its distribution exceeds the others' most, all zeroed ones
 * lie below, and the others reach the same value at half a step. Two standard deviations are subtracted from the
 * excess. */
static float zeroed_step(float *excess, const float own[BINS], const float others[BINS], double count)
{
    int widest = 0, half = 0;
    for (int bin = 0; bin < ZEROED_BINS; bin++)
        if (own[bin] - others[bin] > own[widest] - others[widest])
            widest = bin;
    float chance = 2 * sqrtf(own[widest] * (1 - own[widest]) / (float)count);
    *excess = fmaxf(own[widest] - others[widest] - chance, 0);
    while (half < BINS - 2 && others[half] < own[widest])
        half++;
    return 2 * ((float)half + 0.5f) * SONIC_DCT_BIN_WIDTH;
}

/* The standard table nearest to the steps that zeroed coefficients, each weighted by its excess. */
static void measure_quality(sonic_blockiness *out, const uint32_t *counts)
{
    float own[BINS], others[BINS], step[MODES], weight[MODES], sum = 0;
    int zeroed = 0;
    double least = INFINITY;
    for (int m = 0; m < MODES; m++) {
        weight[m] = 0;
        step[m] = 1;
        double count = cumulate(own, others, counts, out->grid_offset, m);
        if (count > 0)
            step[m] = zeroed_step(&weight[m], own, others, count);
        sum += weight[m];
        zeroed += weight[m] > ZEROED_SHARE;
    }
    out->zeroed = sum / MODES;
    out->quality = SONIC_QUALITY_MAX;
    if (zeroed < ZEROED_MODES)
        return;
    for (int32_t quality = 1; quality <= SONIC_QUALITY_MAX; quality++) {
        double distance = 0;
        for (int m = 0; m < MODES; m++)
            distance +=
                weight[m] * fabs(log(step[m] / (double)sonic_quality_step(
                                                   quality, 0, sonic_dct_mode[m][0] * 8 + sonic_dct_mode[m][1])));
        if (distance < least) {
            least = distance;
            out->quality = (float)quality;
        }
    }
}

static double block_count(coarse_counts counts, int p)
{
    double n = 0;
    for (int c = 0; c < COARSE; c++)
        n += counts[p][0][c];
    return n > 1 ? n : 1;
}

void sonic_blockiness_measure(sonic_blockiness *out, float strength[OFFSETS], const uint32_t *counts)
{
    coarse_counts coarse;
    pools mode;
    double pooled[COARSE], sum[OFFSETS] = {0};
    memset(out, 0, sizeof *out);
    merge_bins(coarse, counts);
    for (int m = 0; m < MODES; m++) {
        pool_mode(&mode, coarse, m);
        for (int p = 0; p < OFFSETS; p++) {
            pool_others(pooled, &mode, coarse[p][m], p);
            sum[p] += divergence(coarse[p][m], pooled);
        }
    }
    for (int p = 0; p < OFFSETS; p++) {
        strength[p] = (float)sum[p];
        if (strength[p] > strength[out->grid_offset])
            out->grid_offset = p;
    }
    out->strength = strength[out->grid_offset];
    out->second = -INFINITY;
    for (int p = 0; p < OFFSETS; p++)
        if (sonic_grid_offsets_apart(p, out->grid_offset) && strength[p] > out->second)
            out->second = strength[p];
    out->chance = (float)(sqrt(MODES * (COARSE - 1) / 2.0) / block_count(coarse, out->grid_offset));
    measure_quality(out, counts);
}
