#include "smooth/noise.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

enum { BLOCK_PX = 16, RADIUS = 2, BINS = 128, BINS_PER_LEVEL = 16, MIN_BLOCKS = 16, ROWS_AT_ONCE = 16 };
enum { PIECE = 64, PIECE_VALUES = 3 * (PIECE + 2) }; /* pixels of a row filtered at once */
/* Blocks with a mean level outside may be clipped, which hides noise. */
static const float min_level = 12.0f, max_level = 243.0f;
/* Remaining noise variance over the filter's own value, which is too low. Chosen by hand on the clips of
 * bench/smooth.py, as are the other constants of this file. */
static const double residual_excess = 1.5;
/* Correlation of neighbouring differences from which on they are motion or compression artefacts, not noise. */
static const double max_correlation = 0.3;

/* Of the green channel: variance of the difference in the block, its correlation between horizontal neighbours, and the
 * mean level. */
typedef struct block_noise {
    double variance, correlation, mean;
} block_noise;

static block_noise measure_block(const float *now, const float *before, int32_t width, int32_t left, int32_t top)
{
    double sum = 0, square = 0, product = 0, level = 0;
    for (int32_t j = 0; j < BLOCK_PX; j++) {
        const ptrdiff_t at = ((ptrdiff_t)(top + j) * width + left) * 3 + 1;
        float last = 0.0f;
        for (int32_t i = 0; i < BLOCK_PX; i++) {
            float d = now[at + 3 * i] - before[at + 3 * i];
            sum += d, square += d * d, product += d * last, level += now[at + 3 * i];
            last = d;
        }
    }
    const double n = BLOCK_PX * BLOCK_PX, pairs = BLOCK_PX * (BLOCK_PX - 1), mean = sum / n;
    block_noise result = {square / n - mean * mean, product / pairs - mean * mean, level / n};
    result.correlation /= result.variance > 1e-6 ? result.variance : 1e-6;
    return result;
}

double sonic_noise_estimate(const float *now, const float *before, int32_t width, int32_t height)
{
    int32_t bins[BINS] = {0}, count = 0, seen = 0;
    double correlation[BINS] = {0}, sum = 0;
    for (int32_t top = 0; top + BLOCK_PX <= height; top += 2 * BLOCK_PX)
        for (int32_t left = (top / BLOCK_PX) % 4 ? BLOCK_PX : 0; left + BLOCK_PX <= width; left += 2 * BLOCK_PX) {
            block_noise b = measure_block(now, before, width, left, top);
            if (b.mean < min_level || b.mean > max_level)
                continue;
            int bin = (int)(sqrt(b.variance > 0 ? b.variance * 0.5 : 0.0) * BINS_PER_LEVEL);
            bin = bin >= BINS ? BINS - 1 : bin;
            bins[bin]++, count++, correlation[bin] += b.correlation;
        }
    for (int bin = 0; bin < BINS && count >= MIN_BLOCKS; bin++) {
        seen += bins[bin], sum += correlation[bin];
        if (seen * 4 >= count)
            return sum / seen < max_correlation ? (bin + 0.5) / BINS_PER_LEVEL : 0.0;
    }
    return 0.0;
}

typedef struct update_job {
    sonic_noise_filter *filter;
    const float *frame;
    float sigma2, min_gain;
} update_job;

void sonic_noise_reset(sonic_noise_filter *filter, const float *frame)
{
    const size_t area = (size_t)filter->width * filter->height;
    memcpy(filter->estimate, frame, area * 3 * sizeof(float));
    for (size_t i = 0; i < area; i++)
        filter->variance[i] = 1.0f;
}

/* out[width]: sums over 5 columns of a row, extended by its end values. */
static void sum_columns(float *out, const float *in, int32_t width)
{
    for (int32_t x = RADIUS; x < width - RADIUS; x++)
        out[x] = ((in[x - 2] + in[x - 1]) + (in[x + 1] + in[x + 2])) + in[x];
    for (int32_t x = 0; x < width; x++)
        if (x < RADIUS || x >= width - RADIUS) {
            out[x] = 0.0f;
            for (int32_t k = -RADIUS; k <= RADIUS; k++) {
                int32_t at = x + k < 0 ? 0 : x + k >= width ? width - 1 : x + k;
                out[x] += in[at];
            }
        }
}

/* scratch[0]: squared difference, summed over the channels and 5 columns; scratch[1]: variance, summed likewise. */
static void difference_rows(int64_t begin, int64_t end, void *context)
{
    const update_job *job = context;
    const int32_t width = job->filter->width;
    const size_t area = (size_t)width * job->filter->height;
    float *raw = job->filter->scratch + 2 * area, *across = job->filter->scratch;
    for (int64_t y = begin; y < end; y++) {
        const float *a = job->frame + 3 * y * width, *b = job->filter->estimate + 3 * y * width;
        float *square = raw + y * width;
        for (int32_t x = 0; x < width; x++) {
            float r = a[3 * x] - b[3 * x], g = a[3 * x + 1] - b[3 * x + 1], u = a[3 * x + 2] - b[3 * x + 2];
            square[x] = r * r + g * g + u * u;
        }
        sum_columns(across + y * width, square, width);
        sum_columns(across + area + y * width, job->filter->variance + y * width, width);
    }
}

/* Kalman gain, raised towards 1 where the squared difference exceeds the expected one. `excess`: their ratio less 1. */
static float find_gain(float excess, float variance, float min_gain)
{
    float kalman = variance / (variance + 1.0f), change = excess <= 0.0f ? 0.0f : excess * 2.5f;
    kalman = kalman > min_gain ? kalman : min_gain;
    change *= change;
    return (kalman + change) / (1.0f + change);
}

/* Sum over 5 rows at one column. */
static float rows_sum(const float *plane, int32_t x, int32_t y, int32_t width, int32_t height)
{
    float sum = 0.0f;
    for (int32_t k = -RADIUS; k <= RADIUS; k++) {
        int32_t at = y + k < 0 ? 0 : y + k >= height ? height - 1 : y + k;
        sum += plane[(ptrdiff_t)at * width + x];
    }
    return sum;
}

static void update_rows(int64_t begin, int64_t end, void *context)
{
    const update_job *job = context;
    sonic_noise_filter *filter = job->filter;
    const int32_t width = filter->width, height = filter->height;
    const size_t area = (size_t)width * height;
    for (int64_t y = begin; y < end; y++) {
        const float *in = job->frame + 3 * y * width;
        float *estimate = filter->estimate + 3 * y * width, *variance = filter->variance + y * width;
        float *gain = filter->scratch + 2 * area + y * width;
        for (int32_t x = 0; x < width; x++) {
            float squares = rows_sum(filter->scratch, x, (int32_t)y, width, height) * (1.0f / 75.0f);
            float expected =
                job->sigma2 * (1.0f + rows_sum(filter->scratch + area, x, (int32_t)y, width, height) * (1.0f / 25.0f));
            gain[x] = find_gain(squares / (1.25f * expected) - 1.0f, variance[x], job->min_gain);
        }
        for (int32_t x = 0; x < width; x++) {
            for (int c = 0; c < 3; c++)
                estimate[3 * x + c] += gain[x] * (in[3 * x + c] - estimate[3 * x + c]);
            variance[x] = gain[x];
        }
    }
}

void sonic_noise_update(sonic_noise_filter *filter, const float *frame, double sigma, double min_gain)
{
    update_job job = {filter, frame, (float)(sigma * sigma), (float)min_gain};
    sonic_parallel_for(filter->height, ROWS_AT_ONCE, difference_rows, &job);
    sonic_parallel_for(filter->height, ROWS_AT_ONCE, update_rows, &job);
}

typedef struct residual_job {
    float *out;
    const float *in, *variance;
    int32_t width, height;
    float noise;
} residual_job;

/* Sums of values and of squares over three rows, for the pixels left - 1 .. left + count; the border is replicated. */
static void sum_rows(float sums[PIECE_VALUES], float squares[PIECE_VALUES], const residual_job *job, int32_t y,
                     int32_t left, int32_t count)
{
    const ptrdiff_t stride = 3 * (ptrdiff_t)job->width;
    const float *b = job->in + y * stride + 3 * left, *a = y > 0 ? b - stride : b,
                *c = y + 1 < job->height ? b + stride : b;
    const int32_t first = left > 0 ? -3 : 0, last = 3 * (left + count < job->width ? count + 1 : count);
    for (int32_t i = first; i < last; i++) {
        sums[i + 3] = (a[i] + b[i]) + c[i];
        squares[i + 3] = (a[i] * a[i] + b[i] * b[i]) + c[i] * c[i];
    }
    for (int k = 0; k < 3; k++) {
        if (first == 0)
            sums[k] = sums[3 + k], squares[k] = squares[3 + k];
        if (last == 3 * count)
            sums[last + 3 + k] = sums[last + k], squares[last + 3 + k] = squares[last + k];
    }
}

static void filter_piece(const residual_job *job, int32_t y, int32_t left, int32_t count)
{
    float sums[PIECE_VALUES], squares[PIECE_VALUES];
    sum_rows(sums, squares, job, y, left, count);
    const ptrdiff_t at = (ptrdiff_t)y * job->width + left;
    for (int32_t x = 0; x < count; x++) {
        const float *in = job->in + 3 * (at + x), *s = sums + 3 * x, *q = squares + 3 * x;
        float *out = job->out + 3 * (at + x), mean[3], variance = 0.0f;
        for (int c = 0; c < 3; c++) {
            mean[c] = ((s[c] + s[c + 3]) + s[c + 6]) * (1.0f / 9.0f);
            /* 8 degrees of freedom, 3 channels */
            variance += ((q[c] + q[c + 3]) + q[c + 6]) * (1.0f / 24.0f) - mean[c] * mean[c] * (9.0f / 24.0f);
        }
        const float noise = job->noise * job->variance[at + x],
                    keep = variance > noise ? 1.0f - noise / variance : 0.0f;
        for (int c = 0; c < 3; c++)
            out[c] = mean[c] + keep * (in[c] - mean[c]);
    }
}

static void filter_rows(int64_t begin, int64_t end, void *context)
{
    const residual_job *job = context;
    for (int64_t y = begin; y < end; y++)
        for (int32_t left = 0; left < job->width; left += PIECE)
            filter_piece(job, (int32_t)y, left, job->width - left < PIECE ? job->width - left : PIECE);
}

void sonic_noise_filter_residual(float *out, const float *in, const sonic_noise_filter *filter, double sigma,
                                 double share)
{
    residual_job job = {
        out, in, filter->variance, filter->width, filter->height, (float)(residual_excess * share * sigma * sigma)};
    sonic_parallel_for(filter->height, ROWS_AT_ONCE, filter_rows, &job);
}
