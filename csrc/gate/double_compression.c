#include "gate/double_compression.h"

#include <math.h>
#include <string.h>

#include "gate/quality.h"

#define LEVELS SONIC_DOUBLE_COMPRESSION_LEVELS
#define LOWEST 5 /* qualities that are searched */
#define HIGHEST 90

/* Chosen by hand on the variants of bench/gate.py. */
#define THRESHOLD 60.0       /* least likelihood, nats */
#define PER_COEFFICIENT 0.08 /* the same for each nonzero coefficient: an uneven histogram alone gives up to 0.04 */
#define OUTLIERS 0.03        /* share of coefficients from clipped and edited blocks */
#define RATIO_MAX 0.8        /* last step over primary step: nearer steps cannot be told apart */

/* Standard deviation of the image's rounding between the compressions, in DCT levels: without and with clipped
 * colours. Chosen by hand as well. */
static const double rounding_sigma[2] = {0.6, 2.0};

/* The cumulative distribution of the standard normal. */
static double normal_below(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }

/* One mode. */
typedef struct histogram {
    const uint32_t *counts;  /* [levels] */
    int levels;              /* all counts beyond are 0 */
    double sums[LEVELS + 1]; /* cumulated from counts[1] to below each level */
    double single[LEVELS];   /* the histogram that one compression would have left */
} histogram;

static void load(histogram *h, const uint32_t counts[LEVELS])
{
    h->counts = counts;
    h->levels = LEVELS - 1; /* the last level counts larger ones too */
    while (h->levels > 1 && !counts[h->levels - 1])
        h->levels--;
    h->sums[0] = h->sums[1] = 0; /* zeros outnumber their neighbours and would fill every gap */
    for (int n = 1; n < h->levels; n++)
        h->sums[n + 1] = h->sums[n] + counts[n];
}

static double sum_between(const histogram *h, int low, int high)
{
    low = low < 1 ? 1 : low;
    high = high >= h->levels ? h->levels - 1 : high;
    return low > high ? 0 : h->sums[high + 1] - h->sums[low];
}

/* Fills the gaps with means over the width of q1; over less near zero, where the histogram is steep. */
static void fill_gaps(histogram *h, double ratio)
{
    int widest = (int)ceil(0.5 * ratio);
    for (int n = 1; n < h->levels; n++) {
        int reach = n / 2 < 1 ? 1 : n / 2 < widest ? n / 2 : widest, low = n - reach < 1 ? 1 : n - reach;
        h->single[n] = sum_between(h, low, n + reach) / (n + reach - low + 1);
    }
}

/* Log likelihood ratio of "first q1, then q2" against "q2 alone", after fill_gaps for this pair. The share of the
 * coefficients k * q1 that becomes n * q2 is that of a normal distribution in the interval of n. */
static double likelihood_of_step(const histogram *h, int q2, int q1, double rounding)
{
    double twice[LEVELS] = {0}, ratio = (double)q1 / q2, sum = 0, single_sum = 0, twice_sum = 0;
    int spread = 1 + (int)(2.5 * rounding / q2 + 0.5);
    for (int k = 0; (k - 0.5) * ratio < h->levels; k++) {
        double mass = sum_between(h, (int)ceil((k - 0.5) * ratio), (int)floor((k + 0.5) * ratio));
        int middle = (int)floor(k * ratio + 0.5), low = middle - spread < 1 ? 1 : middle - spread;
        if (mass <= 0)
            continue;
        double lower = normal_below(((low - 0.5) * q2 - (double)k * q1) / rounding);
        for (int n = low; n <= middle + spread && n < h->levels; n++) {
            double upper = normal_below(((n + 0.5) * q2 - (double)k * q1) / rounding);
            twice[n] += mass * (upper - lower);
            lower = upper;
        }
    }
    for (int n = 1; n < h->levels; n++)
        single_sum += h->single[n], twice_sum += twice[n];
    if (single_sum <= 0 || twice_sum <= 0)
        return 0;
    for (int n = 1; n < h->levels; n++)
        if (h->counts[n] && h->single[n] > 0)
            sum += h->counts[n] * log((1 - OUTLIERS) * (twice[n] / twice_sum) / (h->single[n] / single_sum) + OUTLIERS);
    return sum;
}

/* [mode][primary step]; 0 where the steps cannot be told apart. */
typedef float step_likelihoods[SONIC_DCT_MODES][256];

static void fill_likelihoods(step_likelihoods out[2], const sonic_double_compression_counts *counts)
{
    memset(out, 0, 2 * sizeof *out);
    for (int m = 0; m < SONIC_DCT_MODES; m++) {
        histogram h;
        uint8_t done[256] = {0};
        const int q2 = counts->step[m], mode = sonic_dct_mode[m][0] * 8 + sonic_dct_mode[m][1];
        load(&h, counts->count[m]);
        for (int32_t quality = LOWEST; quality <= HIGHEST; quality++) {
            int32_t q1 = sonic_quality_step(quality, 0, mode);
            if (done[q1] || q2 < 1 || q2 > RATIO_MAX * q1 || q1 > 64 * q2)
                continue;
            done[q1] = 1;
            fill_gaps(&h, (double)q1 / q2);
            for (int r = 0; r < 2; r++)
                out[r][m][q1] = (float)likelihood_of_step(&h, q2, q1, rounding_sigma[r]);
        }
    }
}

static double threshold_of(const sonic_double_compression_counts *counts)
{
    double n = 0;
    for (int m = 0; m < SONIC_DCT_MODES; m++)
        for (int level = 1; level < LEVELS; level++)
            n += counts->count[m][level];
    return fmax(THRESHOLD, PER_COEFFICIENT * n);
}

void sonic_double_compression_find(sonic_double_compression *out, const sonic_double_compression_counts *counts)
{
    double best = threshold_of(counts);
    step_likelihoods steps[2];
    memset(out, 0, sizeof *out);
    fill_likelihoods(steps, counts);
    for (int r = 0; r < 2; r++)
        for (int32_t quality = LOWEST; quality <= HIGHEST; quality++) {
            double sum = 0;
            for (int m = 0; m < SONIC_DCT_MODES; m++)
                sum += steps[r][m][sonic_quality_step(quality, 0, sonic_dct_mode[m][0] * 8 + sonic_dct_mode[m][1])];
            if (sum > best) {
                best = sum;
                *out = (sonic_double_compression){quality, (float)sum};
            }
        }
}
