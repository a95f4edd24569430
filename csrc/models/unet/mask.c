#include "models/unet/mask.h"

#include <math.h>
#include <string.h>

enum { TAPS = 4 };

typedef struct tap {
    int64_t at[TAPS];
    double weight[TAPS];
} tap;

/* Keys' cubic kernel: distances up to 1, and from 1 to 2. */
static double near_weight(double x) { return ((-0.75 + 2) * x - (-0.75 + 3)) * x * x + 1; }
static double far_weight(double x) { return ((-0.75 * x + 5 * 0.75) * x - 8 * 0.75) * x + 4 * 0.75; }

static int64_t clamp(int64_t i, int64_t count) { return i < 0 ? 0 : i >= count ? count - 1 : i; }

/* Where output i of `count` reads an axis of `source` values. */
static tap taps_at(int64_t i, int64_t count, int64_t source)
{
    double centre = ((double)i + 0.5) * (double)source / (double)count - 0.5, first = floor(centre), t = centre - first;
    tap taps = {{0}, {far_weight(1 + t), near_weight(t), near_weight(1 - t), far_weight(2 - t)}};
    for (int k = 0; k < TAPS; k++)
        taps.at[k] = clamp((int64_t)first - 1 + k, source);
    return taps;
}

static float sample(const float *mask, int64_t columns, const tap *y, const tap *x)
{
    double sum = 0;
    for (int j = 0; j < TAPS; j++) {
        const float *row = mask + y->at[j] * columns;
        double line = 0;
        for (int k = 0; k < TAPS; k++)
            line += x->weight[k] * (double)row[x->at[k]];
        sum += y->weight[j] * line;
    }
    return (float)sum;
}

void sonic_mask_resample(float *out, int64_t rows, int64_t columns, const float *mask, int64_t mask_rows,
                         int64_t mask_columns)
{
    for (int64_t r = 0; r < rows; r++) {
        tap y = taps_at(r, rows, mask_rows);
        for (int64_t c = 0; c < columns; c++) {
            tap x = taps_at(c, columns, mask_columns);
            out[r * columns + c] = sample(mask, mask_columns, &y, &x);
        }
    }
}

void sonic_mask_bounds(int64_t rectangle[4], const float *mask, int64_t rows, int64_t columns)
{
    int64_t top = rows, bottom = -1, left = columns, right = -1;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            if (mask[r * columns + c] != 0.0f) {
                top = r < top ? r : top, bottom = r;
                left = c < left ? c : left, right = c > right ? c : right;
            }
    memset(rectangle, 0, 4 * sizeof *rectangle);
    if (bottom >= 0)
        rectangle[0] = top, rectangle[1] = bottom - top + 1, rectangle[2] = left, rectangle[3] = right - left + 1;
}
