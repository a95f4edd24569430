#include "gate/likelihood.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/plane.h" /* SONIC_WIDE */
#include "gate/quality.h"

const float sonic_likelihood_sigma[SONIC_LIKELIHOOD_SIGMAS] = {0.5f, 1.5f, 2.5f};

#define QUALITIES (SONIC_LIKELIHOOD_HIGH_QUALITY + 1)
#define LARGEST_STEP 121
#define OUTLIERS 0.02
#define LANES 8

struct sonic_likelihood {
    float log_ratio[SONIC_LIKELIHOOD_SIGMAS][SONIC_DCT_BINS][SONIC_LIKELIHOOD_STEPS];
    uint8_t step[2][QUALITIES][SONIC_DCT_MODES]; /* [rotated_90][quality][mode], <= LARGEST_STEP */
};

static float log_ratio(int bin, int step, double sigma)
{
    double c = (bin + 0.5) * SONIC_DCT_BIN_WIDTH, k = floor(c / step + 0.5), off = c - k * step;
    if (k == 0 || bin == SONIC_DCT_BINS - 1)
        return 0;
    double normal = exp(-off * off / (2 * sigma * sigma)) / (sigma * 2.50662827463100050242);
    return (float)log((1 - OUTLIERS) * step * normal + OUTLIERS);
}

static void fill(sonic_likelihood *tables)
{
    for (int s = 0; s < SONIC_LIKELIHOOD_SIGMAS; s++)
        for (int bin = 0; bin < SONIC_DCT_BINS; bin++)
            for (int step = 2; step <= LARGEST_STEP; step++)
                tables->log_ratio[s][bin][step] = log_ratio(bin, step, sonic_likelihood_sigma[s]);
    for (int quality = SONIC_LIKELIHOOD_LOW_QUALITY; quality < QUALITIES; quality++)
        for (int m = 0; m < SONIC_DCT_MODES; m++)
            for (int rotated_90 = 0; rotated_90 < 2; rotated_90++) {
                const int8_t *uv = sonic_dct_mode[m];
                int32_t step = sonic_quality_step(quality, 0, uv[rotated_90] * 8 + uv[1 - rotated_90]);
                tables->step[rotated_90][quality][m] = (uint8_t)(step > LARGEST_STEP ? LARGEST_STEP : step);
            }
}

sonic_status sonic_likelihood_create(sonic_likelihood **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: %zu bytes of memory are needed.", sizeof **out);
    fill(*out);
    return SONIC_OK;
}

void sonic_likelihood_free(sonic_likelihood *tables) { free(tables); }

SONIC_WIDE
static void add_bin(float *restrict sums, const float *restrict log_ratios, float count, int32_t steps)
{
    for (int32_t step = 0; step < steps; step += LANES)
        for (int k = 0; k < LANES; k++)
            sums[step + k] += count * log_ratios[step + k];
}

/* Steps, rounded up to whole vectors, of which some multiple but 0 may be nearest to the bin. */
static int32_t steps_of(int bin)
{
    const int32_t most = (int32_t)(2 * (bin + 1) * SONIC_DCT_BIN_WIDTH) + 1;
    return most < SONIC_LIKELIHOOD_STEPS ? (most + LANES - 1) / LANES * LANES : SONIC_LIKELIHOOD_STEPS;
}

void sonic_likelihood_sum(sonic_likelihood_sums *out, const sonic_likelihood *tables, const uint32_t *counts)
{
    memset(out, 0, sizeof *out);
    for (int bin = 4; bin < SONIC_DCT_BINS - 1; bin++) { /* below one level k is 0 for every step */
        const int32_t steps = steps_of(bin);
        for (int m = 0; m < SONIC_DCT_MODES; m++) {
            const float count = (float)counts[m * SONIC_DCT_BINS + bin];
            for (int s = 0; s < SONIC_LIKELIHOOD_SIGMAS && count > 0; s++)
                add_bin(out->sum[s][m], tables->log_ratio[s][bin], count, steps);
        }
    }
}

float sonic_likelihood_of_quality(const sonic_likelihood *tables, const sonic_likelihood_sums *sums, int32_t sigma,
                                  int32_t quality, int32_t rotated_90)
{
    float total = 0;
    for (int m = 0; m < SONIC_DCT_MODES; m++)
        total += sums->sum[sigma][m][tables->step[rotated_90][quality][m]];
    return total;
}
