#include "gate/block_period.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gate/fourier.h"

#define TWO_PI 6.283185307179586476925
#define LANES 16
#define OVERSAMPLED 4  /* zero padding of the transform, times the length */
#define EXCLUDED -1.0f /* height of a line that does not count */
#define PERIODS 3072   /* at most, in the search */

/* Chosen by hand on the variants of bench/gate.py. */
#define SATURATION 4.0f    /* third difference that counts half, levels */
#define SMOOTH 33          /* width of the running mean that is subtracted from a profile, samples */
#define PERIOD_STEP 0.005  /* of the search, pixels */
#define PIXEL_GRID_MAX 6.0 /* evidence from the line of the pixel grid */
#define PIXEL_GRID_SHARE 0.3
#define DISTANCE_MIN 0.02 /* between candidates, as a share of the period */
#define RELATED 3         /* best candidates whose double and third are candidates as well */

/* Spectrum of the profile of one direction; heights are relative to their median. */
typedef struct spectrum {
    float *re, *im, *height;
    int32_t count, length; /* of the transform, of the profile */
} spectrum;

static int32_t transform_count(int32_t length)
{
    int32_t count = 256;
    while (count < OVERSAMPLED * length)
        count *= 2;
    return count;
}

size_t sonic_block_period_scratch_size(int32_t width_px, int32_t height_px)
{
    size_t row = ((size_t)width_px + 15) / 16 * 16, floats = 6 * row + 2 * (size_t)height_px + 64;
    floats += 3 * ((size_t)transform_count(width_px) + (size_t)transform_count(height_px));
    return floats * sizeof(float);
}

/* The third difference around the step from b to c, saturating: a few strong edges must not outvote many faint ones. */
static inline float edge_strength(float a, float b, float c, float d)
{
    float third = d - a + 3.0f * (b - c);
    third = third < 0 ? -third : third;
    return third / (SATURATION + third);
}

SONIC_WIDE
static void add_across(float *restrict columns, const float *restrict row, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        columns[x] += edge_strength(row[x], row[x + 1], row[x + 2], row[x + 3]);
}

SONIC_WIDE
static float sum_down(const float *restrict a, const float *restrict b, const float *restrict c,
                      const float *restrict d, int32_t count)
{
    float lane[LANES] = {0}, sum = 0;
    int32_t x = 0;
    for (; x + LANES <= count; x += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += edge_strength(a[x + k], b[x + k], c[x + k], d[x + k]);
    for (; x < count; x++)
        sum += edge_strength(a[x], b[x], c[x], d[x]);
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Spectrum of the high-passed profile under a Hann window. height is scratch for the median first. */
static void transform_profile(spectrum *s, const float *profile)
{
    const int32_t n = s->length;
    memset(s->re, 0, (size_t)s->count * sizeof *s->re);
    memset(s->im, 0, (size_t)s->count * sizeof *s->im);
    for (int32_t i = 0; i < n; i++) {
        float mean = 0;
        for (int32_t k = i - SMOOTH / 2; k <= i + SMOOTH / 2; k++)
            mean += profile[k < 0 ? -k % n : k >= n ? (2 * n - 2 - k + n) % n : k];
        s->re[i] = (profile[i] - mean / SMOOTH) * (float)(0.5 - 0.5 * cos(TWO_PI * (i + 0.5) / n));
    }
    sonic_fourier_sequence(s->re, s->im, s->count);
    const int32_t half = s->count / 2;
    for (int32_t i = 0; i < half; i++)
        s->height[i] = sqrtf(s->re[i] * s->re[i] + s->im[i] * s->im[i]);
    memcpy(s->height + half, s->height, (size_t)half * sizeof *s->height);
    qsort(s->height + half, (size_t)half, sizeof *s->height, ascending);
    float median = s->height[half + half / 2] + 1e-9f;
    for (int32_t i = 0; i < half; i++)
        s->height[i] /= median;
}

/* Height of the line at `cycles` a pixel or in the bins beside it; at least 1, the median; 0 when it is excluded. */
static float line_height(const spectrum *s, double cycles)
{
    int32_t at = (int32_t)(cycles * s->count + 0.5), half = s->count / 2;
    float best = 1.0f;
    for (int32_t i = at - 1; i <= at + 1; i++) {
        if (i > 0 && i < half && s->height[i] <= EXCLUDED)
            return 0;
        if (i > 0 && i < half && s->height[i] > best)
            best = s->height[i];
    }
    return best;
}

/* Log heights of both directions; 0 when one of the lines is excluded. */
static double log_heights(const spectrum *x, const spectrum *y, double cycles)
{
    float a = line_height(x, cycles), b = line_height(y, cycles);
    return a > 0 && b > 0 ? log(a) + log(b) : 0;
}

/* Mean of the average and the least of the odd harmonics; excluded lines count as absent. */
static double evidence_of(const spectrum *x, const spectrum *y, double period)
{
    double sum = 0, least = INFINITY;
    int used = 0, all = 0;
    for (int k = 1; k <= 5 && k / period <= 0.5; k += 2, all++) {
        if (line_height(x, k / period) <= 0 || line_height(y, k / period) <= 0)
            continue;
        double value = log_heights(x, y, k / period);
        sum += value;
        least = value < least ? value : least;
        used++;
    }
    return used ? (0.5 * sum / used + 0.5 * least) * used / all : 0;
}

/* Evidence from the line of the original pixel grid, eight pixels to a block, aliased below half a cycle. Resampling
 * leaves it without any compression, but it locates the period precisely. */
static double pixel_grid_evidence(const spectrum *x, const spectrum *y, double period)
{
    double cycles = 8 / period - floor(8 / period);
    cycles = cycles > 0.5 ? 1 - cycles : cycles;
    double value = cycles > 0.09 && cycles < 0.495 ? log_heights(x, y, cycles) : 0;
    return PIXEL_GRID_SHARE * (value < PIXEL_GRID_MAX ? value : PIXEL_GRID_MAX);
}

/* Excludes the lines of period 8, within the main lobe of the window and the slope of strong lines. */
static void exclude_eight(spectrum *s)
{
    int32_t reach = (int32_t)(2.2 * s->count / s->length) + 1;
    for (int k = 1; k <= 4; k++) {
        int32_t at = (int32_t)((double)k / 8 * s->count + 0.5);
        for (int32_t i = at - reach; i <= at + reach; i++)
            if (i >= 0 && i < s->count / 2)
                s->height[i] = EXCLUDED;
    }
}

/* Interpolated height at `cycles`; above half a cycle it is aliased. */
static double aliased_height(const spectrum *s, double cycles)
{
    cycles -= floor(cycles);
    double at = (cycles > 0.5 ? 1 - cycles : cycles) * s->count;
    int32_t i = (int32_t)at, last = s->count / 2 - 1;
    if (i >= last || s->height[i] < 0 || s->height[i + 1] < 0)
        return 0;
    return s->height[i] * (1 - (at - i)) + s->height[i + 1] * (at - i);
}

/* The best period within `reach`, by all harmonics up to the eighth: high ones resolve finest. other: the spectrum of
 * the other direction, or NULL. */
static double refine(const spectrum *s, const spectrum *other, double period, double reach)
{
    double best_period = period, best = -1;
    for (int i = -60; i <= 60; i++) {
        double p = period + reach * i / 60, sum = 0;
        for (int k = 1; k <= 8; k++)
            sum += log(1.0 + aliased_height(s, k / p)) + (other ? log(1.0 + aliased_height(other, k / p)) : 0);
        if (sum > best)
            best = sum, best_period = p;
    }
    return best_period;
}

/* Position of the first block edge, from the phase of the fundamental. Sample i of the profile is the step between
 * pixels i + 1 and i + 2. */
static double edge_of(const spectrum *s, double period)
{
    int32_t at = (int32_t)(s->count / period + 0.5);
    /* The bin is not exactly at 1 / period: the phase is right in the middle of the window */
    double off = (double)at / s->count - 1 / period;
    double offset = (-atan2(s->im[at], s->re[at]) / TWO_PI - off * s->length / 2) * period + 2.0;
    offset = fmod(offset, period);
    return offset < 0 ? offset + period : offset;
}

/* Both directions have the same scale, but for rounding to whole pixels at the end. */
static void refine_candidate(sonic_period_candidate *c, const spectrum *x, const spectrum *y)
{
    double shorter = x->length < y->length ? x->length : y->length;
    double both = refine(x, y, c->period_px, 0.35 * c->period_px * c->period_px / shorter);
    c->period_x_px = refine(x, NULL, both, 0.6 * both / x->length);
    c->period_y_px = refine(y, NULL, both, 0.6 * both / y->length);
    c->edge_x_px = edge_of(x, c->period_x_px);
    c->edge_y_px = edge_of(y, c->period_y_px);
}

static int32_t best_apart(const float *values, int32_t count, const sonic_period_candidate *taken, int32_t taken_count)
{
    int32_t best = -1;
    for (int32_t i = 0; i < count; i++) {
        double period = SONIC_BLOCK_PERIOD_SHORTEST + PERIOD_STEP * i;
        int free = 1;
        for (int32_t k = 0; k < taken_count; k++)
            free = free && fabs(period - taken[k].period_px) > DISTANCE_MIN * period;
        if (free && (best < 0 || values[i] > values[best]))
            best = i;
    }
    return best;
}

static void add_candidate(sonic_block_period *out, int32_t *taken, double period, double strength)
{
    if (period >= SONIC_BLOCK_PERIOD_SHORTEST && period <= SONIC_BLOCK_PERIOD_LONGEST &&
        *taken < SONIC_BLOCK_PERIOD_CANDIDATES)
        out->candidate[(*taken)++] = (sonic_period_candidate){.evidence = strength, .period_px = period};
}

/* The best periods. A period shares lines with its half and its triple, so the double and third of the best ones are
 * candidates as well. */
static void search(sonic_block_period *out, const spectrum *x, const spectrum *y)
{
    float values[PERIODS];
    int32_t count = 0, taken = 0;
    for (double p = SONIC_BLOCK_PERIOD_SHORTEST; p <= SONIC_BLOCK_PERIOD_LONGEST && count < PERIODS; p += PERIOD_STEP)
        values[count++] = (float)(evidence_of(x, y, p) + pixel_grid_evidence(x, y, p));
    for (int32_t found = 0; taken < SONIC_BLOCK_PERIOD_CANDIDATES; found++) {
        int32_t best = best_apart(values, count, out->candidate, taken), own = taken;
        add_candidate(out, &taken, SONIC_BLOCK_PERIOD_SHORTEST + PERIOD_STEP * best, values[best]);
        refine_candidate(&out->candidate[own], x, y);
        if (found < RELATED) {
            double exact = 0.5 * (out->candidate[own].period_x_px + out->candidate[own].period_y_px);
            add_candidate(out, &taken, 2 * exact, values[best]);
            add_candidate(out, &taken, exact / 3, values[best]);
        }
        for (int32_t k = own + 1; k < taken; k++)
            refine_candidate(&out->candidate[k], x, y);
    }
    qsort(values, (size_t)count, sizeof *values, ascending);
    out->contrast = out->candidate[0].evidence - values[count * 95 / 100];
}

static float *place_spectrum(spectrum *s, int32_t length, float *memory)
{
    s->length = length;
    s->count = transform_count(length);
    s->re = memory;
    s->im = s->re + s->count;
    s->height = s->im + s->count;
    return s->height + s->count;
}

static void fill_profiles(float *columns, float *rows, const sonic_plane *luma)
{
    const int32_t w = luma->width_px, h = luma->height_px;
    memset(columns, 0, (size_t)w * sizeof *columns);
    for (int32_t y = 0; y < h; y++)
        add_across(columns, sonic_plane_row(luma, y), w - 3);
    for (int32_t x = 0; x < w - 3; x++)
        columns[x] /= (float)h;
    for (int32_t y = 0; y < h - 3; y++)
        rows[y] = sum_down(sonic_plane_row(luma, y), sonic_plane_row(luma, y + 1), sonic_plane_row(luma, y + 2),
                           sonic_plane_row(luma, y + 3), w) /
                  (float)w;
}

void sonic_block_period_measure(sonic_block_period *out, const sonic_plane *luma, int32_t has_eight, void *scratch)
{
    spectrum x, y;
    float *columns = scratch, *rows = columns + luma->width_px;
    memset(out, 0, sizeof *out);
    if (luma->width_px < 64 || luma->height_px < 64)
        return;
    place_spectrum(&y, luma->height_px - 3, place_spectrum(&x, luma->width_px - 3, rows + luma->height_px));
    fill_profiles(columns, rows, luma);
    transform_profile(&x, columns);
    transform_profile(&y, rows);
    out->eight = evidence_of(&x, &y, 8);
    out->sixteen.evidence = out->eight;
    out->sixteen.period_px = 16;
    refine_candidate(&out->sixteen, &x, &y);
    if (has_eight) {
        exclude_eight(&x);
        exclude_eight(&y);
    }
    search(out, &x, &y);
}
