#include "gate/earlier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gate/quality.h"

#define LEVELS SONIC_EARLIER_LEVELS
#define LOWEST 5
#define HIGHEST 90
#define THRESHOLD 60.0
#define PER_COEFFICIENT 0.08 /* nats for each that is not zero: histograms that are merely uneven give up to 0.04 */
#define OUTLIERS 0.03  /* coefficients of clipped and of edited blocks */
#define HIDDEN 0.8     /* an earlier quality less than this share of steps apart cannot be told from the last */

/* Share of a normal distribution below x. */
static double below(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

/* Share of coefficients that were k * q1 and become n * q2. */
static double falls_on(int n, int q2, double centre, double rounding)
{
    return below(((n + 0.5) * q2 - centre) / rounding) - below(((n - 0.5) * q2 - centre) / rounding);
}

/* What one compression would have left: the counts with the gaps filled, by a triangle of the width of a step of q1. */
static void smooth(double out[LEVELS], const uint32_t counts[LEVELS], double width)
{
    int reach = (int)ceil(width);
    for (int n = 0; n < LEVELS; n++) {
        double sum = 0, weights = 0;
        for (int d = -reach; d <= reach; d++) {
            int at = n + d < 0 ? -(n + d) : n + d;
            double weight = 1 - abs(d) / (width + 1);
            if (at >= LEVELS || at == 0 || weight <= 0) /* zeros are far more than any neighbour: they would fill everything */
                continue;
            sum += weight * counts[at];
            weights += weight;
        }
        out[n] = weights > 0 ? sum / weights : 0;
    }
}

/* Log likelihood ratio of "first q1, then q2" against "q2 alone", for one mode. */
static double of_step(const uint32_t counts[LEVELS], int q2, int q1, double rounding)
{
    double plain[LEVELS], twice[LEVELS] = {0}, ratio = (double)q1 / q2, sum = 0, plain_sum = 0, twice_sum = 0;
    smooth(plain, counts, ratio);
    for (int k = 0; k * ratio < LEVELS - 2 - ratio; k++) {
        double centre = (double)k * q1, mass = 0;
        int low = (int)ceil((k - 0.5) * ratio), high = (int)floor((k + 0.5) * ratio), middle = (int)floor(k * ratio + 0.5);
        for (int n = low < 1 ? 1 : low; n <= high && n < LEVELS; n++)
            mass += plain[n];
        if (mass <= 0)
            continue;
        for (int n = middle - 2 < 1 ? 1 : middle - 2; n <= middle + 2 && n < LEVELS; n++)
            twice[n] += mass * falls_on(n, q2, centre, rounding);
    }
    int last = (int)(LEVELS - 3 - 2 * ratio);
    for (int n = 1; n < last; n++)
        plain_sum += plain[n], twice_sum += twice[n];
    if (plain_sum <= 0 || twice_sum <= 0)
        return 0;
    for (int n = 1; n < last; n++)
        if (counts[n] && plain[n] > 0)
            sum += counts[n] * log((1 - OUTLIERS) * (twice[n] / twice_sum) / (plain[n] / plain_sum) + OUTLIERS);
    return sum;
}

/* Of the decoded picture between the compressions, in the DCT's levels: plain pictures, and those whose colours were clipped. */
static const double rounding_sigma[2] = {0.6, 2.0};

static double of_quality(const sonic_earlier_counts *counts, int32_t quality, double rounding, float cached[SONIC_LATTICE_MODES][256])
{
    double sum = 0;
    for (int m = 0; m < SONIC_LATTICE_MODES; m++) {
        int32_t q1 = sonic_quality_step(quality, 0, sonic_lattice_mode[m][0] * 8 + sonic_lattice_mode[m][1]), q2 = counts->step[m];
        if (q2 < 1 || q2 > HIDDEN * q1 || q1 > 64 * q2)
            continue;
        if (isnan(cached[m][q1]))
            cached[m][q1] = (float)of_step(counts->of[m], q2, q1, rounding);
        sum += cached[m][q1];
    }
    return sum;
}

static double threshold_of(const sonic_earlier_counts *counts)
{
    double n = 0;
    for (int m = 0; m < SONIC_LATTICE_MODES; m++)
        for (int level = 1; level < LEVELS; level++)
            n += counts->of[m][level];
    return fmax(THRESHOLD, PER_COEFFICIENT * n);
}

void sonic_earlier_find(sonic_earlier *out, const sonic_earlier_counts *counts)
{
    double best = threshold_of(counts);
    float cached[SONIC_LATTICE_MODES][256];
    memset(out, 0, sizeof *out);
    for (int r = 0; r < 2; r++) {
        for (int i = 0; i < SONIC_LATTICE_MODES * 256; i++)
            cached[i / 256][i % 256] = NAN;
        for (int32_t quality = LOWEST; quality <= HIGHEST; quality++) {
            double sum = of_quality(counts, quality, rounding_sigma[r], cached);
            if (sum > best) {
                best = sum;
                *out = (sonic_earlier){quality, (float)sum};
            }
        }
    }
}
