#include "gate/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gate/quality.h"

#define PHASES SONIC_LATTICE_PHASES
#define MODES SONIC_LATTICE_MODES
#define CANDIDATES 12
#define CERTAIN_MODE 25.0f /* sum of one mode's log likelihood ratios */

static void take_strongest(int candidates[CANDIDATES], const float strength[PHASES])
{
    uint8_t taken[PHASES] = {0};
    for (int i = 0; i < CANDIDATES; i++) {
        int best = -1;
        for (int p = 0; p < PHASES; p++)
            if (!taken[p] && (best < 0 || strength[p] > strength[best]))
                best = p;
        taken[best] = 1;
        candidates[i] = best;
    }
}

/* One curve: likelihood over quality at one position, sigma and orientation. */
typedef struct curve {
    float of[SONIC_LIKELIHOOD_HIGH_QUALITY + 1];
    int32_t phase, turned, sigma;
} curve;

static void draw_curve(curve *out, const sonic_likelihood *tables, const sonic_likelihood_sums *sums)
{
    for (int32_t q = SONIC_LIKELIHOOD_LOW_QUALITY; q <= SONIC_LIKELIHOOD_HIGH_QUALITY; q++)
        out->of[q] = sonic_likelihood_of_quality(tables, sums, out->sigma, q, out->turned);
}

static int32_t peak_of(const curve *c)
{
    int32_t best = SONIC_LIKELIHOOD_LOW_QUALITY;
    for (int32_t q = best; q <= SONIC_LIKELIHOOD_HIGH_QUALITY; q++)
        /* Neighbours may share the low modes' steps: the benefit of the doubt is the picture's */
        if (c->of[q] >= c->of[best])
            best = q;
    return best;
}

static sonic_compression compression_at(const curve *c, int32_t quality)
{
    sonic_compression found = {quality, c->phase, c->turned, sonic_likelihood_sigma[c->sigma], c->of[quality], 0};
    return found;
}

static void offer_curve(sonic_history *out, const curve *c)
{
    int32_t peak = peak_of(c);
    if (c->of[peak] > out->strongest.likelihood)
        out->strongest = compression_at(c, peak);
    if (c->of[peak] > SONIC_HISTORY_THRESHOLD && (!out->coarsest.quality || peak < out->coarsest.quality))
        out->coarsest = compression_at(c, peak);
}

/* The nearest standard table to steps that are known for some modes only: the median of what each says about the scale.
 */
static int32_t quality_of_steps(const int32_t steps[MODES])
{
    int32_t best = 0;
    double least = INFINITY;
    for (int32_t q = SONIC_LIKELIHOOD_LOW_QUALITY; q <= SONIC_LIKELIHOOD_HIGH_QUALITY; q++) {
        double distance = 0;
        for (int m = 0; m < MODES; m++)
            if (steps[m])
                distance +=
                    fabs(log((double)steps[m] /
                             sonic_quality_step(q, 0, sonic_lattice_mode[m][0] * 8 + sonic_lattice_mode[m][1])));
        if (distance < least)
            least = distance, best = q;
    }
    return best;
}

/* Each mode's own best step, for tables that are not the standard's. */
static void offer_custom(sonic_history *out, const sonic_likelihood_sums *sums, int32_t sigma, int32_t phase)
{
    int32_t steps[MODES] = {0}, certain = 0;
    float total = 0;
    for (int m = 0; m < MODES; m++) {
        int best = 4;
        for (int step = 4; step <= 121; step++)
            if (sums->of[sigma][m][step] > sums->of[sigma][m][best])
                best = step;
        if (sums->of[sigma][m][best] > CERTAIN_MODE) {
            steps[m] = best, certain++;
            total += sums->of[sigma][m][best];
        }
    }
    if (certain < 3 || total <= out->custom.likelihood)
        return;
    out->custom = (sonic_compression){quality_of_steps(steps), phase, 0, sonic_likelihood_sigma[sigma], total, 0};
    out->custom_modes = certain;
}

static void read_phase(sonic_history *out, float best_of_phase[PHASES], const sonic_likelihood *tables,
                       const uint32_t *counts, int32_t phase, sonic_likelihood_sums *sums)
{
    curve c = {.phase = phase};
    sonic_likelihood_sum(sums, tables, counts);
    for (c.sigma = 0; c.sigma < SONIC_LIKELIHOOD_SIGMAS; c.sigma++) {
        for (c.turned = 0; c.turned < 2; c.turned++) {
            draw_curve(&c, tables, sums);
            offer_curve(out, &c);
            best_of_phase[phase] = fmaxf(best_of_phase[phase], c.of[peak_of(&c)]);
        }
        offer_custom(out, sums, c.sigma, phase);
    }
}

static float margin_of(const float best_of_phase[PHASES], const sonic_compression *found)
{
    float second = 0;
    for (int p = 0; p < PHASES; p++)
        if (p / 8 != found->phase / 8 && p % 8 != found->phase % 8)
            second = fmaxf(second, best_of_phase[p]);
    return found->likelihood - second;
}

/* Multiples of the last compression's steps, from coefficients that were decoded, rounded and clipped since. */
static void find_earlier(sonic_history *out, const uint32_t *counts)
{
    sonic_earlier_counts multiples;
    const sonic_compression *last = &out->strongest;
    memset(&multiples, 0, sizeof multiples);
    counts += (size_t)last->phase * MODES * SONIC_LATTICE_BINS;
    for (int m = 0; m < MODES; m++, counts += SONIC_LATTICE_BINS) {
        const int8_t *uv = sonic_lattice_mode[m];
        int32_t step = sonic_quality_step(last->quality, 0, uv[last->turned] * 8 + uv[1 - last->turned]);
        multiples.step[m] = step;
        for (int bin = 0; bin < SONIC_LATTICE_BINS - 1; bin++) {
            int n = (int)(((float)bin + 0.5f) * SONIC_LATTICE_BIN / (float)step + 0.5f);
            multiples.of[m][n < SONIC_EARLIER_LEVELS ? n : SONIC_EARLIER_LEVELS - 1] += counts[bin];
        }
    }
    sonic_earlier_find(&out->earlier, &multiples);
}

void sonic_history_read(sonic_history *out, const sonic_likelihood *tables, const uint32_t *counts)
{
    sonic_likelihood_sums sums;
    float strength[PHASES], best_of_phase[PHASES];
    int candidates[CANDIDATES];
    memset(out, 0, sizeof *out);
    for (int p = 0; p < PHASES; p++)
        best_of_phase[p] = -INFINITY;
    sonic_grid_measure(&out->grid, strength, counts);
    take_strongest(candidates, strength);
    for (int i = 0; i < CANDIDATES; i++)
        read_phase(out, best_of_phase, tables, counts + (size_t)candidates[i] * MODES * SONIC_LATTICE_BINS,
                   candidates[i], &sums);
    out->strongest.margin = margin_of(best_of_phase, &out->strongest);
    out->coarsest.margin = margin_of(best_of_phase, &out->coarsest);
    if (out->strongest.likelihood <= SONIC_HISTORY_THRESHOLD)
        out->strongest.quality = 0;
    if (out->strongest.quality >= SONIC_EARLIER_LAST_QUALITY && out->strongest.sigma < 2)
        find_earlier(out, counts);
}

void sonic_history_read_position(sonic_compression *out, const sonic_likelihood *tables, const uint32_t *counts,
                                 int32_t phase)
{
    sonic_history history;
    sonic_likelihood_sums sums;
    float best_of_phase[PHASES];
    memset(&history, 0, sizeof history);
    best_of_phase[phase] = -INFINITY;
    read_phase(&history, best_of_phase, tables, counts, phase, &sums);
    *out = history.coarsest;
    if (!out->quality && history.custom_modes >= 6)
        *out = history.custom;
}
