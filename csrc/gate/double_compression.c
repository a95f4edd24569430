#include "gate/double_compression.h"

#include <math.h>
#include <string.h>

#include "gate/quality.h"

#define LEVELS SONIC_EARLIER_LEVELS
#define LOWEST 5
#define HIGHEST 90
#define THRESHOLD 60.0
#define PER_COEFFICIENT 0.08 /* nats for each that is not zero: histograms that are merely uneven give up to 0.04 */
#define OUTLIERS 0.03        /* coefficients of clipped and of edited blocks */
#define HIDDEN 0.8           /* an earlier quality less than this share of steps apart cannot be told from the last */

/* Share of a normal distribution below x. */
static double below(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }

/* One mode: its counts, how many of them matter, and what one compression would have left. */
typedef struct histogram {
    const uint32_t *counts;  /* [levels] */
    int levels;              /* beyond, there are none */
    double sums[LEVELS + 1]; /* of counts[1 ..] below each level */
    double plain[LEVELS];
} histogram;

static void load(histogram *h, const uint32_t counts[LEVELS])
{
    h->counts = counts;
    h->levels = LEVELS - 1; /* the last one holds all that is larger */
    while (h->levels > 1 && !counts[h->levels - 1])
        h->levels--;
    h->sums[0] = h->sums[1] = 0; /* zeros are far more than any neighbour: they would fill everything */
    for (int n = 1; n < h->levels; n++)
        h->sums[n + 1] = h->sums[n] + counts[n];
}

static double sum_between(const histogram *h, int low, int high)
{
    low = low < 1 ? 1 : low;
    high = high >= h->levels ? h->levels - 1 : high;
    return low > high ? 0 : h->sums[high + 1] - h->sums[low];
}

/* The gaps filled by means over the width of a step of q1; over less near zero, where the histogram is steep. */
static void fill_gaps(histogram *h, double ratio)
{
    int widest = (int)ceil(0.5 * ratio);
    for (int n = 1; n < h->levels; n++) {
        int reach = n / 2 < 1 ? 1 : n / 2 < widest ? n / 2 : widest, low = n - reach < 1 ? 1 : n - reach;
        h->plain[n] = sum_between(h, low, n + reach) / (n + reach - low + 1);
    }
}

/* Log likelihood ratio of "first q1, then q2" against "q2 alone"; fill_gaps has run for this pair. Of coefficients that
 * were k * q1, those that become n * q2 are the normal distribution's share of n's cell. */
static double of_step(const histogram *h, int q2, int q1, double rounding)
{
    double twice[LEVELS] = {0}, ratio = (double)q1 / q2, sum = 0, plain_sum = 0, twice_sum = 0;
    int spread = 1 + (int)(2.5 * rounding / q2 + 0.5);
    for (int k = 0; (k - 0.5) * ratio < h->levels; k++) {
        double mass = sum_between(h, (int)ceil((k - 0.5) * ratio), (int)floor((k + 0.5) * ratio));
        int middle = (int)floor(k * ratio + 0.5), low = middle - spread < 1 ? 1 : middle - spread;
        if (mass <= 0)
            continue;
        double before = below(((low - 0.5) * q2 - (double)k * q1) / rounding);
        for (int n = low; n <= middle + spread && n < h->levels; n++) {
            double next = below(((n + 0.5) * q2 - (double)k * q1) / rounding);
            twice[n] += mass * (next - before);
            before = next;
        }
    }
    for (int n = 1; n < h->levels; n++)
        plain_sum += h->plain[n], twice_sum += twice[n];
    if (plain_sum <= 0 || twice_sum <= 0)
        return 0;
    for (int n = 1; n < h->levels; n++)
        if (h->counts[n] && h->plain[n] > 0)
            sum += h->counts[n] * log((1 - OUTLIERS) * (twice[n] / twice_sum) / (h->plain[n] / plain_sum) + OUTLIERS);
    return sum;
}

/* Of the decoded picture between the compressions, in the DCT's levels: plain pictures, and those whose colours were
 * clipped. */
static const double rounding_sigma[2] = {0.6, 2.0};

/* Every step that a quality may ask for, once: [mode][step], 0 where nothing can be told. */
typedef float step_likelihoods[SONIC_LATTICE_MODES][256];

static void weigh_steps(step_likelihoods out[2], const sonic_earlier_counts *counts)
{
    memset(out, 0, 2 * sizeof *out);
    for (int m = 0; m < SONIC_LATTICE_MODES; m++) {
        histogram h;
        uint8_t done[256] = {0};
        const int q2 = counts->step[m], mode = sonic_lattice_mode[m][0] * 8 + sonic_lattice_mode[m][1];
        load(&h, counts->of[m]);
        for (int32_t quality = LOWEST; quality <= HIGHEST; quality++) {
            int32_t q1 = sonic_quality_step(quality, 0, mode);
            if (done[q1] || q2 < 1 || q2 > HIDDEN * q1 || q1 > 64 * q2)
                continue;
            done[q1] = 1;
            fill_gaps(&h, (double)q1 / q2);
            for (int r = 0; r < 2; r++)
                out[r][m][q1] = (float)of_step(&h, q2, q1, rounding_sigma[r]);
        }
    }
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
    step_likelihoods steps[2];
    memset(out, 0, sizeof *out);
    weigh_steps(steps, counts);
    for (int r = 0; r < 2; r++)
        for (int32_t quality = LOWEST; quality <= HIGHEST; quality++) {
            double sum = 0;
            for (int m = 0; m < SONIC_LATTICE_MODES; m++)
                sum += steps[r][m]
                            [sonic_quality_step(quality, 0, sonic_lattice_mode[m][0] * 8 + sonic_lattice_mode[m][1])];
            if (sum > best) {
                best = sum;
                *out = (sonic_earlier){quality, (float)sum};
            }
        }
}
