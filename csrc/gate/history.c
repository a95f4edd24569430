#include "gate/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gate/quality.h"

#define OFFSETS SONIC_GRID_OFFSETS
#define MODES SONIC_DCT_MODES
#define SMALLEST_STEP 4 /* of custom tables */
#define LARGEST_STEP 121

/* Chosen by hand on the variants of bench/gate.py. */
#define CANDIDATES 12         /* grid offsets that are read, those with the strongest blockiness */
#define CONFIDENT_MODE 25.0f  /* sum of one mode's log likelihood ratios from which its step counts */
#define CUSTOM_MODES_MIN 3    /* confident modes of a custom table */
#define CUSTOM_MODES_REGION 6 /* the same for a region */

static void take_strongest(int candidates[CANDIDATES], const float strength[OFFSETS])
{
    uint8_t taken[OFFSETS] = {0};
    for (int i = 0; i < CANDIDATES; i++) {
        int best = -1;
        for (int p = 0; p < OFFSETS; p++)
            if (!taken[p] && (best < 0 || strength[p] > strength[best]))
                best = p;
        taken[best] = 1;
        candidates[i] = best;
    }
}

/* Likelihood over quality for one grid offset, sigma and orientation. */
typedef struct curve {
    float likelihood[SONIC_LIKELIHOOD_HIGH_QUALITY + 1];
    int32_t grid_offset, rotated_90, sigma;
} curve;

static void fill_curve(curve *out, const sonic_likelihood *tables, const sonic_likelihood_sums *sums)
{
    for (int32_t q = SONIC_LIKELIHOOD_LOW_QUALITY; q <= SONIC_LIKELIHOOD_HIGH_QUALITY; q++)
        out->likelihood[q] = sonic_likelihood_of_quality(tables, sums, out->sigma, q, out->rotated_90);
}

static int32_t peak_of(const curve *c)
{
    int32_t best = SONIC_LIKELIHOOD_LOW_QUALITY;
    for (int32_t q = best; q <= SONIC_LIKELIHOOD_HIGH_QUALITY; q++)
        /* Neighbouring qualities may have the same low steps: the finest of them is taken */
        if (c->likelihood[q] >= c->likelihood[best])
            best = q;
    return best;
}

static sonic_compression compression_at(const curve *c, int32_t quality)
{
    sonic_compression found = {
        quality, c->grid_offset, c->rotated_90, sonic_likelihood_sigma[c->sigma], c->likelihood[quality], 0, {0, 0}};
    return found;
}

static void offer_curve(sonic_history *out, const curve *c)
{
    int32_t peak = peak_of(c);
    if (c->likelihood[peak] > out->strongest.likelihood)
        out->strongest = compression_at(c, peak);
    if (c->likelihood[peak] > SONIC_HISTORY_THRESHOLD && (!out->coarsest.quality || peak < out->coarsest.quality))
        out->coarsest = compression_at(c, peak);
}

/* The standard table nearest to steps of which some are unknown (0). Absolute log distances: a median over the modes.
 */
static int32_t quality_of_steps(const int32_t steps[MODES])
{
    int32_t best = 0;
    double least = INFINITY;
    for (int32_t q = SONIC_LIKELIHOOD_LOW_QUALITY; q <= SONIC_LIKELIHOOD_HIGH_QUALITY; q++) {
        double distance = 0;
        for (int m = 0; m < MODES; m++)
            if (steps[m])
                distance += fabs(
                    log((double)steps[m] / sonic_quality_step(q, 0, sonic_dct_mode[m][0] * 8 + sonic_dct_mode[m][1])));
        if (distance < least)
            least = distance, best = q;
    }
    return best;
}

/* The best step of each mode by itself, for tables other than the standard ones. */
static void offer_custom(sonic_history *out, const sonic_likelihood_sums *sums, int32_t sigma, int32_t grid_offset)
{
    int32_t steps[MODES] = {0}, confident = 0;
    float total = 0;
    for (int m = 0; m < MODES; m++) {
        int best = SMALLEST_STEP;
        for (int step = SMALLEST_STEP; step <= LARGEST_STEP; step++)
            if (sums->sum[sigma][m][step] > sums->sum[sigma][m][best])
                best = step;
        if (sums->sum[sigma][m][best] > CONFIDENT_MODE) {
            steps[m] = best, confident++;
            total += sums->sum[sigma][m][best];
        }
    }
    if (confident < CUSTOM_MODES_MIN || total <= out->custom.likelihood)
        return;
    out->custom =
        (sonic_compression){quality_of_steps(steps), grid_offset, 0, sonic_likelihood_sigma[sigma], total, 0, {0, 0}};
    out->custom_modes = confident;
    memcpy(out->custom_step, steps, sizeof steps);
}

static void read_grid_offset(sonic_history *out, float best_of_offset[OFFSETS], const sonic_likelihood *tables,
                             const uint32_t *counts, int32_t grid_offset, sonic_likelihood_sums *sums)
{
    curve c = {.grid_offset = grid_offset};
    sonic_likelihood_sum(sums, tables, counts);
    for (c.sigma = 0; c.sigma < SONIC_LIKELIHOOD_SIGMAS; c.sigma++) {
        for (c.rotated_90 = 0; c.rotated_90 < 2; c.rotated_90++) {
            fill_curve(&c, tables, sums);
            offer_curve(out, &c);
            best_of_offset[grid_offset] = fmaxf(best_of_offset[grid_offset], c.likelihood[peak_of(&c)]);
        }
        offer_custom(out, sums, c.sigma, grid_offset);
    }
}

static float margin_of(const float best_of_offset[OFFSETS], const sonic_compression *found)
{
    float second = 0;
    for (int p = 0; p < OFFSETS; p++)
        if (sonic_grid_offsets_apart(p, found->grid_offset))
            second = fmaxf(second, best_of_offset[p]);
    return found->likelihood - second;
}

/* The coefficients as multiples of the last steps, rounded: decoding to 8 bits disturbed them. */
static void find_primary(sonic_history *out, const uint32_t *counts)
{
    sonic_double_compression_counts multiples;
    const sonic_compression *last = &out->strongest;
    memset(&multiples, 0, sizeof multiples);
    counts += (size_t)last->grid_offset * MODES * SONIC_DCT_BINS;
    for (int m = 0; m < MODES; m++, counts += SONIC_DCT_BINS) {
        const int8_t *uv = sonic_dct_mode[m];
        int32_t step = sonic_quality_step(last->quality, 0, uv[last->rotated_90] * 8 + uv[1 - last->rotated_90]);
        multiples.step[m] = step;
        for (int bin = 0; bin < SONIC_DCT_BINS - 1; bin++) {
            int n = (int)(((float)bin + 0.5f) * SONIC_DCT_BIN_WIDTH / (float)step + 0.5f);
            multiples.count[m][n < SONIC_DOUBLE_COMPRESSION_LEVELS ? n : SONIC_DOUBLE_COMPRESSION_LEVELS - 1] +=
                counts[bin];
        }
    }
    sonic_double_compression_find(&out->primary, &multiples);
}

void sonic_history_read(sonic_history *out, const sonic_likelihood *tables, const uint32_t *counts)
{
    sonic_likelihood_sums sums;
    float strength[OFFSETS], best_of_offset[OFFSETS];
    int candidates[CANDIDATES];
    memset(out, 0, sizeof *out);
    for (int p = 0; p < OFFSETS; p++)
        best_of_offset[p] = -INFINITY;
    sonic_blockiness_measure(&out->blockiness, strength, counts);
    take_strongest(candidates, strength);
    for (int i = 0; i < CANDIDATES; i++)
        read_grid_offset(out, best_of_offset, tables, counts + (size_t)candidates[i] * MODES * SONIC_DCT_BINS,
                         candidates[i], &sums);
    out->strongest.margin = margin_of(best_of_offset, &out->strongest);
    out->coarsest.margin = margin_of(best_of_offset, &out->coarsest);
    if (out->strongest.likelihood <= SONIC_HISTORY_THRESHOLD)
        out->strongest.quality = 0;
    if (out->strongest.quality >= SONIC_DOUBLE_COMPRESSION_LAST_QUALITY && out->strongest.sigma < 2)
        find_primary(out, counts);
}

void sonic_history_read_offset(sonic_compression *out, const sonic_likelihood *tables, const uint32_t *counts,
                               int32_t grid_offset)
{
    sonic_history history;
    sonic_likelihood_sums sums;
    float best_of_offset[OFFSETS];
    memset(&history, 0, sizeof history);
    best_of_offset[grid_offset] = -INFINITY;
    read_grid_offset(&history, best_of_offset, tables, counts, grid_offset, &sums);
    *out = history.coarsest;
    if (!out->quality && history.custom_modes >= CUSTOM_MODES_REGION)
        *out = history.custom;
}

void sonic_history_poll(sonic_block_poll *poll, const sonic_compression *found)
{
    float step[64];
    for (int m = 0; m < 64; m++)
        step[m] = (float)sonic_quality_step(found->quality, 0, found->rotated_90 ? m % 8 * 8 + m / 8 : m);
    sonic_block_poll_init(poll, step, found->sigma);
}

/* So much support that other tables need not be put to the vote. */
static int is_supported(const sonic_block_votes *votes)
{
    return votes->supporting >= 16 && votes->supporting > votes->against;
}

static int supports_better(const sonic_block_votes *a, const sonic_block_votes *b)
{
    return (int64_t)a->supporting * (b->supporting + b->against) >
           (int64_t)b->supporting * (a->supporting + a->against);
}

/* Also at the next sigma: high frequencies are disturbed more than the low ones that were counted. */
static void vote_standard(sonic_compression *found, const sonic_plane *luma)
{
    sonic_block_poll poll;
    sonic_compression tried = *found;
    if (!found->quality)
        return;
    for (int32_t s = 0, tries = 0; s < SONIC_LIKELIHOOD_SIGMAS && tries < 2; s++) {
        if (sonic_likelihood_sigma[s] < found->sigma)
            continue;
        tried.sigma = sonic_likelihood_sigma[s];
        sonic_history_poll(&poll, &tried);
        sonic_block_poll_grid(&poll, luma, found->grid_offset);
        if (!tries++ || supports_better(&poll.votes, &found->votes))
            found->votes = poll.votes;
        if (is_supported(&found->votes))
            return;
    }
}

/* The vote on 14 steps alone, at a grid offset and half a block away. */
static void vote_low(sonic_block_votes votes[2], const float step[64], float sigma, int32_t grid_offset,
                     const sonic_plane *luma)
{
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        sonic_block_poll poll;
        sonic_block_poll_init(&poll, step, sigma);
        sonic_block_poll_grid(&poll, luma, elsewhere ? grid_offset ^ 36 : grid_offset); /* 36: four rows and columns */
        votes[elsewhere] = poll.votes;
    }
}

/* After a blur the high frequencies fit no more. */
static void vote_standard_low(sonic_history *history, const sonic_plane *luma)
{
    const sonic_compression *found = &history->coarsest;
    float step[64] = {0};
    for (int m = 0; m < MODES; m++) {
        const int8_t *uv = sonic_dct_mode[m];
        const int32_t mode = uv[0] * 8 + uv[1], turned = uv[1] * 8 + uv[0];
        step[mode] = (float)sonic_quality_step(found->quality, 0, found->rotated_90 ? turned : mode);
    }
    vote_low(history->low_votes, step, found->sigma, found->grid_offset, luma);
}

static void vote_custom(sonic_history *history, const sonic_plane *luma)
{
    float step[64] = {0};
    for (int m = 0; m < MODES; m++)
        step[sonic_dct_mode[m][0] * 8 + sonic_dct_mode[m][1]] = (float)history->custom_step[m];
    vote_low(history->custom_votes, step, history->custom.sigma, history->custom.grid_offset, luma);
}

void sonic_history_vote(sonic_history *history, const sonic_plane *luma)
{
    const sonic_compression *a = &history->strongest, *b = &history->coarsest;
    vote_standard(&history->strongest, luma);
    if (a->quality == b->quality && a->grid_offset == b->grid_offset && a->rotated_90 == b->rotated_90 &&
        a->sigma == b->sigma)
        history->coarsest.votes = a->votes;
    else
        vote_standard(&history->coarsest, luma);
    if (is_supported(&a->votes) && is_supported(&b->votes))
        return;
    if (b->quality)
        vote_standard_low(history, luma);
    if (history->custom.quality)
        vote_custom(history, luma);
}
