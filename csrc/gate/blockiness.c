#include "gate/blockiness.h"

#include <math.h>
#include <string.h>

#include "gate/quality.h"

#define PHASES SONIC_LATTICE_PHASES
#define MODES SONIC_LATTICE_MODES
#define BINS SONIC_LATTICE_BINS
#define COARSE 14
#define EMPTIED_MODES                                                                                                  \
    5 /* that lost coefficients: half a block, an edge of a resized one, is special in one or two modes only */
#define EMPTIED_SHARE 0.01f /* of a mode's coefficients */
#define EMPTIED_BINS 24     /* six levels: what was zero is still near it, even under noise */

typedef uint32_t coarse_counts[PHASES][MODES][COARSE];

/* First fine bin of each coarse one: a level wide at first, then wider like the coefficients' spread. */
static const int16_t coarse_start[COARSE + 1] = {0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, BINS - 1};

static void merge_bins(coarse_counts out, const uint32_t *counts)
{
    for (int p = 0; p < PHASES; p++)
        for (int m = 0; m < MODES; m++, counts += BINS)
            for (int c = 0; c < COARSE; c++) {
                uint32_t sum = 0;
                for (int bin = coarse_start[c]; bin < coarse_start[c + 1]; bin++)
                    sum += counts[bin];
                out[p][m][c] = sum;
            }
}

static int apart(int a, int b) { return a / 8 != b / 8 && a % 8 != b % 8; }

/* Counts of all positions that share neither row nor column with p: their blocks are cut by the grid of p both ways. */
static void pool_others(double pooled[COARSE], coarse_counts counts, int p, int m)
{
    for (int c = 0; c < COARSE; c++)
        pooled[c] = 0.5;
    for (int o = 0; o < PHASES; o++)
        if (apart(o, p))
            for (int c = 0; c < COARSE; c++)
                pooled[c] += counts[o][m][c];
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

/* Cumulated shares of a mode's coefficients, at the position and at those apart from it; returns how many the position
 * has. */
static double cumulate(float own[BINS], float others[BINS], const uint32_t *counts, int phase, int mode)
{
    double a = 0, b = 0;
    memset(others, 0, BINS * sizeof *others);
    for (int p = 0; p < PHASES; p++) {
        const uint32_t *bins = counts + ((size_t)p * MODES + (size_t)mode) * BINS;
        for (int bin = 0; bin < BINS - 1; bin++) {
            if (p == phase)
                own[bin] = (float)(a += bins[bin]);
            else if (apart(p, phase))
                others[bin] += (float)bins[bin];
        }
    }
    for (int bin = 0; bin < BINS - 1; bin++)
        others[bin] = (float)(b += others[bin]);
    for (int bin = 0; bin < BINS - 1; bin++)
        own[bin] /= (float)(a > 0 ? a : 1), others[bin] /= (float)(b > 0 ? b : 1);
    return b > 0 ? a : 0;
}

/* Where the own share of small coefficients exceeds the others' most, all that the step emptied lies below: the others
 * reach that share at half a step. What chance may give, two standard deviations, is taken off the excess. */
static float emptied_step(float *excess, const float own[BINS], const float others[BINS], double count)
{
    int widest = 0, half = 0;
    for (int bin = 0; bin < EMPTIED_BINS; bin++)
        if (own[bin] - others[bin] > own[widest] - others[widest])
            widest = bin;
    float chance = 2 * sqrtf(own[widest] * (1 - own[widest]) / (float)count);
    *excess = fmaxf(own[widest] - others[widest] - chance, 0);
    while (half < BINS - 2 && others[half] < own[widest])
        half++;
    return 2 * ((float)half + 0.5f) * SONIC_LATTICE_BIN;
}

/* The standard table nearest to the emptied steps, each weighted with how many coefficients speak for it. */
static void measure_quality(sonic_grid *out, const uint32_t *counts)
{
    float own[BINS], others[BINS], step[MODES], weight[MODES], sum = 0;
    int emptied = 0;
    double least = INFINITY;
    for (int m = 0; m < MODES; m++) {
        weight[m] = 0;
        step[m] = 1;
        double count = cumulate(own, others, counts, out->phase, m);
        if (count > 0)
            step[m] = emptied_step(&weight[m], own, others, count);
        sum += weight[m];
        emptied += weight[m] > EMPTIED_SHARE;
    }
    out->emptied = sum / MODES;
    out->quality = SONIC_QUALITY_MAX;
    if (emptied < EMPTIED_MODES)
        return;
    for (int32_t quality = 1; quality <= SONIC_QUALITY_MAX; quality++) {
        double distance = 0;
        for (int m = 0; m < MODES; m++)
            distance += weight[m] *
                        fabs(log(step[m] / (double)sonic_quality_step(
                                               quality, 0, sonic_lattice_mode[m][0] * 8 + sonic_lattice_mode[m][1])));
        if (distance < least) {
            least = distance;
            out->quality = (float)quality;
        }
    }
}

static double blocks_of(coarse_counts counts, int p)
{
    double n = 0;
    for (int c = 0; c < COARSE; c++)
        n += counts[p][0][c];
    return n > 1 ? n : 1;
}

void sonic_grid_measure(sonic_grid *out, float strength[PHASES], const uint32_t *counts)
{
    coarse_counts coarse;
    double pooled[COARSE];
    memset(out, 0, sizeof *out);
    merge_bins(coarse, counts);
    for (int p = 0; p < PHASES; p++) {
        double sum = 0;
        for (int m = 0; m < MODES; m++) {
            pool_others(pooled, coarse, p, m);
            sum += divergence(coarse[p][m], pooled);
        }
        strength[p] = (float)sum;
        if (strength[p] > strength[out->phase])
            out->phase = p;
    }
    out->strength = strength[out->phase];
    out->second = -INFINITY;
    for (int p = 0; p < PHASES; p++)
        if (apart(p, out->phase) && strength[p] > out->second)
            out->second = strength[p];
    out->chance = (float)(sqrt(MODES * (COARSE - 1) / 2.0) / blocks_of(coarse, out->phase));
    measure_quality(out, counts);
}
