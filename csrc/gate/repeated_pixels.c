#include "gate/repeated_pixels.h"

#include <math.h>
#include <string.h>

/* Chosen by hand on bench/gate_drawn.py. */
#define ACTIVE_MIN 24      /* columns and rows with steps */
#define ACTIVE_SHARE 0.05f /* of the mean number of steps that a column with steps has at least */
#define STEP 0.01f         /* levels */

size_t sonic_repeated_pixels_scratch_size(int32_t width_px, int32_t height_px)
{
    return ((size_t)width_px + (size_t)height_px) * sizeof(float);
}

SONIC_WIDE
static void add_across(float *restrict steps, const float *restrict row, int32_t count)
{
    for (int32_t x = 0; x < count; x++) {
        float d = row[x + 1] - row[x];
        d = d < 0 ? -d : d;
        steps[x] += d > STEP ? 1.0f : 0.0f;
    }
}

SONIC_WIDE
static float count_down(const float *restrict row, const float *restrict next, int32_t count)
{
    int32_t steps = 0;
    for (int32_t x = 0; x < count; x++) {
        float d = next[x] - row[x];
        d = d < 0 ? -d : d;
        steps += d > STEP;
    }
    return (float)steps;
}

/* Marks the positions with steps; their number. steps: [count], then 1 or 0. */
static int32_t mark_active(float *steps, int32_t count)
{
    float mean = 0;
    int32_t active = 0;
    for (int32_t i = 0; i < count; i++)
        mean += steps[i] / (float)count;
    for (int32_t i = 0; i < count; i++) {
        steps[i] = mean > 0 && steps[i] > ACTIVE_SHARE * mean;
        active += steps[i] > 0;
    }
    return active;
}

/* Mean distance of the positions with steps, and the share of distances that are its floor or its ceiling. */
static float distances(float *regular, const float *active, int32_t count, int32_t number)
{
    int32_t first = -1, last = -1, fitting = 0;
    for (int32_t i = 0; i < count; i++)
        if (active[i] > 0)
            first = first < 0 ? i : first, last = i;
    const float mean = (float)(last - first) / (float)(number - 1);
    for (int32_t i = first + 1, before = first; i <= last; i++)
        if (active[i] > 0) {
            fitting += fabsf((float)(i - before) - mean) < 1.0f;
            before = i;
        }
    *regular = (float)fitting / (float)(number - 1);
    return mean;
}

/* Entropy and mean square of the steps in the columns that have some. */
static void measure_steps(sonic_repeated_pixels *out, const sonic_plane *luma, const float *active, double deviation)
{
    double counts[256] = {0}, squares = 0, total = 0, pairs = 0, entropy = 0;
    for (int32_t y = 0; y < luma->height_px; y++) {
        const float *row = sonic_plane_row(luma, y);
        for (int32_t x = 0; x < luma->width_px - 1; x++) {
            if (active[x] <= 0)
                continue;
            float d = fabsf(row[x + 1] - row[x]);
            squares += (double)d * (double)d;
            pairs++;
            if (d > STEP)
                counts[(int)(d + 0.5f) & 255]++, total++;
        }
    }
    for (int i = 0; i < 256; i++)
        if (counts[i] > 0)
            entropy -= counts[i] / total * log(counts[i] / total);
    out->variety = (float)exp(entropy);
    out->contrast = deviation > 0 && pairs > 0 ? (float)(squares / pairs / (2 * deviation * deviation)) : 0.0f;
}

void sonic_repeated_pixels_measure(sonic_repeated_pixels *out, const sonic_plane *luma, double deviation, void *scratch)
{
    const int32_t w = luma->width_px - 1, h = luma->height_px - 1;
    float *columns = scratch, *rows = columns + w + 1, regular_y;
    memset(out, 0, sizeof *out);
    memset(columns, 0, (size_t)w * sizeof *columns);
    for (int32_t y = 0; y <= h; y++)
        add_across(columns, sonic_plane_row(luma, y), w);
    for (int32_t y = 0; y < h; y++)
        rows[y] = count_down(sonic_plane_row(luma, y), sonic_plane_row(luma, y + 1), w + 1);
    const int32_t active_x = mark_active(columns, w), active_y = mark_active(rows, h);
    if (active_x < ACTIVE_MIN || active_y < ACTIVE_MIN)
        return;
    float factor_x = distances(&out->regular, columns, w, active_x),
          factor_y = distances(&regular_y, rows, h, active_y);
    out->factor = factor_x < factor_y ? factor_x : factor_y;
    out->regular = out->regular < regular_y ? out->regular : regular_y;
    measure_steps(out, luma, columns, deviation);
}
