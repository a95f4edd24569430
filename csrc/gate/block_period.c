#include "gate/block_period.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gate/fourier.h"

#define TURN 6.283185307179586476925
#define LANES 16
#define HALF_WAY 4.0f /* levels */
#define SMOOTH 33     /* width of the running mean that is taken off a profile */
#define OVERSAMPLED 4
#define PERIOD_STEP 0.005
#define PIXEL_GRID_MOST 6.0
#define LEFT_OUT -1.0f

/* One direction: spectrum of the profile, as heights over their median. */
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

size_t sonic_comb_scratch_size(int32_t width_px, int32_t height_px)
{
    size_t row = ((size_t)width_px + 15) / 16 * 16, floats = 6 * row + 2 * (size_t)height_px + 64;
    floats += 3 * ((size_t)transform_count(width_px) + (size_t)transform_count(height_px));
    return floats * sizeof(float);
}

/* The third difference around the step from b to c, saturating: neither busy places nor a few strong edges outvote the
 * many faint ones. */
static inline float edge(float a, float b, float c, float d)
{
    float third = d - a + 3.0f * (b - c);
    third = third < 0 ? -third : third;
    return third / (HALF_WAY + third);
}

SONIC_WIDE
static void add_across(float *restrict columns, const float *restrict row, int32_t count)
{
    for (int32_t x = 0; x < count; x++)
        columns[x] += edge(row[x], row[x + 1], row[x + 2], row[x + 3]);
}

SONIC_WIDE
static float sum_down(const float *restrict a, const float *restrict b, const float *restrict c,
                      const float *restrict d, int32_t count)
{
    float lane[LANES] = {0}, sum = 0;
    int32_t x = 0;
    for (; x + LANES <= count; x += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += edge(a[x + k], b[x + k], c[x + k], d[x + k]);
    for (; x < count; x++)
        sum += edge(a[x], b[x], c[x], d[x]);
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The profile without its slow changes, under a Hann window, transformed. height is scratch for the median first. */
static void transform_profile(spectrum *s, const float *profile)
{
    const int32_t n = s->length;
    memset(s->re, 0, (size_t)s->count * sizeof *s->re);
    memset(s->im, 0, (size_t)s->count * sizeof *s->im);
    for (int32_t i = 0; i < n; i++) {
        float mean = 0;
        for (int32_t k = i - SMOOTH / 2; k <= i + SMOOTH / 2; k++)
            mean += profile[k < 0 ? -k % n : k >= n ? (2 * n - 2 - k + n) % n : k];
        s->re[i] = (profile[i] - mean / SMOOTH) * (float)(0.5 - 0.5 * cos(TURN * (i + 0.5) / n));
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

/* Height of the line at `cycles` a pixel, the nearest bins included; 1 at the least, which says nothing; 0 when it was
 * left out. */
static float line(const spectrum *s, double cycles)
{
    int32_t at = (int32_t)(cycles * s->count + 0.5), half = s->count / 2;
    float best = 1.0f;
    for (int32_t i = at - 1; i <= at + 1; i++) {
        if (i > 0 && i < half && s->height[i] <= LEFT_OUT)
            return 0;
        if (i > 0 && i < half && s->height[i] > best)
            best = s->height[i];
    }
    return best;
}

/* Both directions' lines as one value; 0 where one of them was left out. */
static double both_lines(const spectrum *x, const spectrum *y, double cycles)
{
    float a = line(x, cycles), b = line(y, cycles);
    return a > 0 && b > 0 ? log(a) + log(b) : 0;
}

/* Lines that were left out count as absent: what is seen of a comb between them is weak. */
static double evidence(const spectrum *x, const spectrum *y, double period)
{
    double sum = 0, least = INFINITY;
    int used = 0, all = 0;
    for (int k = 1; k <= 5 && k / period <= 0.5; k += 2, all++) {
        if (line(x, k / period) <= 0 || line(y, k / period) <= 0)
            continue;
        double value = both_lines(x, y, k / period);
        sum += value;
        least = value < least ? value : least;
        used++;
    }
    return used ? (0.5 * sum / used + 0.5 * least) * used / all : 0;
}

/* The line of the pixel grid before the picture was resized, eight to a block, folded below half a cycle. It says
 * nothing about compression, but tells the period of one sharply. */
static double pixel_grid(const spectrum *x, const spectrum *y, double period)
{
    double cycles = 8 / period - floor(8 / period);
    cycles = cycles > 0.5 ? 1 - cycles : cycles;
    double value = cycles > 0.09 && cycles < 0.495 ? both_lines(x, y, cycles) : 0;
    return 0.3 * (value < PIXEL_GRID_MOST ? value : PIXEL_GRID_MOST);
}

/* Leaves the lines of the period 8 out, and of 16, which is that of chroma at half the size, the width of the window's
 * main lobe and the slope of strong lines included. */
static void blank_eight(spectrum *s)
{
    int32_t reach = (int32_t)(2.2 * s->count / s->length) + 1;
    for (int k = 1; k <= 4; k++) {
        int32_t at = (int32_t)((double)k / 8 * s->count + 0.5);
        for (int32_t i = at - reach; i <= at + reach; i++)
            if (i >= 0 && i < s->count / 2)
                s->height[i] = LEFT_OUT;
    }
}

/* Height between two bins at `cycles`, which may lie above half a cycle: sampling folds it back. */
static double folded_height(const spectrum *s, double cycles)
{
    cycles -= floor(cycles);
    double at = (cycles > 0.5 ? 1 - cycles : cycles) * s->count;
    int32_t i = (int32_t)at, last = s->count / 2 - 1;
    if (i >= last || s->height[i] < 0 || s->height[i + 1] < 0)
        return 0;
    return s->height[i] * (1 - (at - i)) + s->height[i + 1] * (at - i);
}

/* All harmonics up to the eighth: high ones are the finest ruler. `other` is the other direction's, or NULL. */
static double refine(const spectrum *s, const spectrum *other, double period, double reach)
{
    double best_period = period, best = -1;
    for (int i = -60; i <= 60; i++) {
        double p = period + reach * i / 60, sum = 0;
        for (int k = 1; k <= 8; k++)
            sum += log(1.0 + folded_height(s, k / p)) + (other ? log(1.0 + folded_height(other, k / p)) : 0);
        if (sum > best)
            best = sum, best_period = p;
    }
    return best_period;
}

/* Where the comb's first tooth stands: the phase of its fundamental. Sample i of the profile is the step between pixels
 * i + 1 and i + 2. */
static double edge_of(const spectrum *s, double period)
{
    int32_t at = (int32_t)(s->count / period + 0.5);
    /* The bin's frequency is not quite the comb's: the window's middle keeps the phase */
    double off = (double)at / s->count - 1 / period;
    double offset = (-atan2(s->im[at], s->re[at]) / TURN - off * s->length / 2) * period + 2.0;
    offset = fmod(offset, period);
    return offset < 0 ? offset + period : offset;
}

/* Both directions were resized alike, but for whole pixels at the end. */
static void refine_candidate(sonic_comb_candidate *c, const spectrum *x, const spectrum *y)
{
    double shorter = x->length < y->length ? x->length : y->length;
    double both = refine(x, y, c->period_px, 0.35 * c->period_px * c->period_px / shorter);
    c->period_x_px = refine(x, NULL, both, 0.6 * both / x->length);
    c->period_y_px = refine(y, NULL, both, 0.6 * both / y->length);
    c->edge_x_px = edge_of(x, c->period_x_px);
    c->edge_y_px = edge_of(y, c->period_y_px);
}

#define PERIODS 3072

/* Share of a period that candidates lie apart. */
#define APART 0.02

/* Candidates whose double and third are candidates, too. */
#define RELATED 3

static int32_t best_apart(const float *values, int32_t count, const sonic_comb_candidate *taken, int32_t taken_count)
{
    int32_t best = -1;
    for (int32_t i = 0; i < count; i++) {
        double period = SONIC_COMB_SHORTEST + PERIOD_STEP * i;
        int free = 1;
        for (int32_t k = 0; k < taken_count; k++)
            free = free && fabs(period - taken[k].period_px) > APART * period;
        if (free && (best < 0 || values[i] > values[best]))
            best = i;
    }
    return best;
}

static void add_candidate(sonic_comb *out, int32_t *taken, double period, double strength)
{
    if (period >= SONIC_COMB_SHORTEST && period <= SONIC_COMB_LONGEST && *taken < SONIC_COMB_CANDIDATES)
        out->other[(*taken)++] = (sonic_comb_candidate){.evidence = strength, .period_px = period};
}

/* The best periods. Half of a period and three times it share lines with it, so double and third of the best ones are
 * looked at, too. */
static void search(sonic_comb *out, const spectrum *x, const spectrum *y)
{
    float values[PERIODS];
    int32_t count = 0, taken = 0;
    for (double p = SONIC_COMB_SHORTEST; p <= SONIC_COMB_LONGEST && count < PERIODS; p += PERIOD_STEP)
        values[count++] = (float)(evidence(x, y, p) + pixel_grid(x, y, p));
    for (int32_t found = 0; taken < SONIC_COMB_CANDIDATES; found++) {
        int32_t best = best_apart(values, count, out->other, taken), own = taken;
        add_candidate(out, &taken, SONIC_COMB_SHORTEST + PERIOD_STEP * best, values[best]);
        refine_candidate(&out->other[own], x, y);
        if (found < RELATED) {
            double exact = 0.5 * (out->other[own].period_x_px + out->other[own].period_y_px);
            add_candidate(out, &taken, 2 * exact, values[best]);
            add_candidate(out, &taken, exact / 3, values[best]);
        }
        for (int32_t k = own + 1; k < taken; k++)
            refine_candidate(&out->other[k], x, y);
    }
    qsort(values, (size_t)count, sizeof *values, ascending);
    out->contrast = out->other[0].evidence - values[count * 95 / 100];
}

static float *cut_spectrum(spectrum *s, int32_t length, float *memory)
{
    s->length = length;
    s->count = transform_count(length);
    s->re = memory;
    s->im = s->re + s->count;
    s->height = s->im + s->count;
    return s->height + s->count;
}

static void profiles(float *columns, float *rows, const sonic_plane *luma)
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

void sonic_comb_measure(sonic_comb *out, const sonic_plane *luma, int32_t has_eight, void *scratch)
{
    spectrum x, y;
    float *columns = scratch, *rows = columns + luma->width_px;
    memset(out, 0, sizeof *out);
    if (luma->width_px < 64 || luma->height_px < 64)
        return;
    cut_spectrum(&y, luma->height_px - 3, cut_spectrum(&x, luma->width_px - 3, rows + luma->height_px));
    profiles(columns, rows, luma);
    transform_profile(&x, columns);
    transform_profile(&y, rows);
    out->eight = evidence(&x, &y, 8);
    out->sixteen.evidence = out->eight;
    out->sixteen.period_px = 16;
    refine_candidate(&out->sixteen, &x, &y);
    if (has_eight) {
        blank_eight(&x);
        blank_eight(&y);
    }
    search(out, &x, &y);
}
