#include "smooth/noise.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

enum { BLOCK = 16, RADIUS = 2, BINS = 128, ROWS_AT_ONCE = 16, PIECE = 64, PIECE_VALUES = 3 * (PIECE + 2) };
/* Blocks dimmer or brighter than this may be clipped, which hides noise. */
static const float darkest = 12.0f, brightest = 243.0f;
/* Noise that is evened out, over what remains by the filter's own account, which is a little too good; chosen on real
 * clips. */
static const double excess = 1.5;

/* Of the green channel: variance of the difference in the block, its correlation from pixel to pixel, and the block's
 * mean. */
typedef struct block_noise {
    double variance, correlation, mean;
} block_noise;

static block_noise block_read(const float *now, const float *before, int32_t width, int32_t left, int32_t top)
{
    double sum = 0, square = 0, product = 0, level = 0;
    for (int32_t j = 0; j < BLOCK; j++) {
        const ptrdiff_t at = ((ptrdiff_t)(top + j) * width + left) * 3 + 1;
        float last = 0.0f;
        for (int32_t i = 0; i < BLOCK; i++) {
            float d = now[at + 3 * i] - before[at + 3 * i];
            sum += d, square += d * d, product += d * last, level += now[at + 3 * i];
            last = d;
        }
    }
    const double n = BLOCK * BLOCK, pairs = BLOCK * (BLOCK - 1), mean = sum / n;
    block_noise result = {square / n - mean * mean, product / pairs - mean * mean, level / n};
    result.correlation /= result.variance > 1e-6 ? result.variance : 1e-6;
    return result;
}

double sonic_noise_measure(const float *now, const float *before, int32_t width, int32_t height)
{
    int32_t bins[BINS] = {0}, count = 0, seen = 0;
    double correlation[BINS] = {0}, together = 0;
    for (int32_t top = 0; top + BLOCK <= height; top += 2 * BLOCK)
        for (int32_t left = (top / BLOCK) % 4 ? BLOCK : 0; left + BLOCK <= width; left += 2 * BLOCK) {
            block_noise b = block_read(now, before, width, left, top);
            if (b.mean < darkest || b.mean > brightest)
                continue;
            int bin = (int)(sqrt(b.variance > 0 ? b.variance * 0.5 : 0.0) * 16.0);
            bin = bin >= BINS ? BINS - 1 : bin;
            bins[bin]++, count++, correlation[bin] += b.correlation;
        }
    for (int bin = 0; bin < BINS && count >= 16; bin++) {
        seen += bins[bin], together += correlation[bin];
        if (seen * 4 >= count)
            return together / seen < 0.3 ? (bin + 0.5) / 16.0 : 0.0;
    }
    return 0.0;
}

typedef struct take_job {
    sonic_noise_filter *filter;
    const float *frame;
    float sigma2, least;
} take_job;

void sonic_noise_start(sonic_noise_filter *filter, const float *frame)
{
    const size_t area = (size_t)filter->width * filter->height;
    memcpy(filter->memory, frame, area * 3 * sizeof(float));
    for (size_t i = 0; i < area; i++)
        filter->variance[i] = 1.0f;
}

/* scratch[0]: squared difference, mean of the channels, summed over 5 columns; scratch[1]: the variance, likewise. */
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

static void difference_rows(int64_t begin, int64_t end, void *context)
{
    const take_job *job = context;
    const int32_t width = job->filter->width;
    const size_t area = (size_t)width * job->filter->height;
    float *raw = job->filter->scratch + 2 * area, *across = job->filter->scratch;
    for (int64_t y = begin; y < end; y++) {
        const float *a = job->frame + 3 * y * width, *b = job->filter->memory + 3 * y * width;
        float *square = raw + y * width;
        for (int32_t x = 0; x < width; x++) {
            float r = a[3 * x] - b[3 * x], g = a[3 * x + 1] - b[3 * x + 1], u = a[3 * x + 2] - b[3 * x + 2];
            square[x] = r * r + g * g + u * u;
        }
        sum_columns(across + y * width, square, width);
        sum_columns(across + area + y * width, job->filter->variance + y * width, width);
    }
}

/* How much of the new frame counts. `excess`: difference over what noise explains, minus 1. */
static float gain_of(float excess, float variance, float least)
{
    float kalman = variance / (variance + 1.0f), doubt = excess <= 0.0f ? 0.0f : excess * 2.5f;
    kalman = kalman > least ? kalman : least;
    doubt *= doubt;
    return (kalman + doubt) / (1.0f + doubt);
}

static float rows_sum(const float *plane, int32_t x, int32_t y, int32_t width, int32_t height)
{
    float sum = 0.0f;
    for (int32_t k = -RADIUS; k <= RADIUS; k++) {
        int32_t at = y + k < 0 ? 0 : y + k >= height ? height - 1 : y + k;
        sum += plane[(ptrdiff_t)at * width + x];
    }
    return sum;
}

static void take_rows(int64_t begin, int64_t end, void *context)
{
    const take_job *job = context;
    sonic_noise_filter *filter = job->filter;
    const int32_t width = filter->width, height = filter->height;
    const size_t area = (size_t)width * height;
    for (int64_t y = begin; y < end; y++) {
        const float *in = job->frame + 3 * y * width;
        float *memory = filter->memory + 3 * y * width, *variance = filter->variance + y * width;
        float *gain = filter->scratch + 2 * area + y * width;
        for (int32_t x = 0; x < width; x++) {
            float squares = rows_sum(filter->scratch, x, (int32_t)y, width, height) * (1.0f / 75.0f);
            float expected =
                job->sigma2 * (1.0f + rows_sum(filter->scratch + area, x, (int32_t)y, width, height) * (1.0f / 25.0f));
            gain[x] = gain_of(squares / (1.25f * expected) - 1.0f, variance[x], job->least);
        }
        for (int32_t x = 0; x < width; x++) {
            for (int c = 0; c < 3; c++)
                memory[3 * x + c] += gain[x] * (in[3 * x + c] - memory[3 * x + c]);
            variance[x] = gain[x];
        }
    }
}

void sonic_noise_take(sonic_noise_filter *filter, const float *frame, double sigma, double least)
{
    take_job job = {filter, frame, (float)(sigma * sigma), (float)least};
    sonic_parallel_for(filter->height, ROWS_AT_ONCE, difference_rows, &job);
    sonic_parallel_for(filter->height, ROWS_AT_ONCE, take_rows, &job);
}

typedef struct even_job {
    float *out;
    const float *in, *variance;
    int32_t width, height;
    float noise;
} even_job;

/* Sums of values and of squares over three rows, for the pixels left - 1 .. left + count; beyond the border its pixel
 * counts again. */
static void sum_rows(float sums[PIECE_VALUES], float squares[PIECE_VALUES], const even_job *job, int32_t y,
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

static void even_piece(const even_job *job, int32_t y, int32_t left, int32_t count)
{
    float sums[PIECE_VALUES], squares[PIECE_VALUES];
    sum_rows(sums, squares, job, y, left, count);
    const ptrdiff_t at = (ptrdiff_t)y * job->width + left;
    for (int32_t x = 0; x < count; x++) {
        const float *in = job->in + 3 * (at + x), *s = sums + 3 * x, *q = squares + 3 * x;
        float *out = job->out + 3 * (at + x), mean[3], variance = 0.0f;
        for (int c = 0; c < 3; c++) {
            mean[c] = ((s[c] + s[c + 3]) + s[c + 6]) * (1.0f / 9.0f);
            /* of 8 degrees of freedom, 3 channels */
            variance += ((q[c] + q[c + 3]) + q[c + 6]) * (1.0f / 24.0f) - mean[c] * mean[c] * (9.0f / 24.0f);
        }
        const float noise = job->noise * job->variance[at + x],
                    keep = variance > noise ? 1.0f - noise / variance : 0.0f;
        for (int c = 0; c < 3; c++)
            out[c] = mean[c] + keep * (in[c] - mean[c]);
    }
}

static void even_rows(int64_t begin, int64_t end, void *context)
{
    const even_job *job = context;
    for (int64_t y = begin; y < end; y++)
        for (int32_t left = 0; left < job->width; left += PIECE)
            even_piece(job, (int32_t)y, left, job->width - left < PIECE ? job->width - left : PIECE);
}

void sonic_noise_even(float *out, const float *in, const sonic_noise_filter *filter, double sigma, double share)
{
    even_job job = {out, in, filter->variance, filter->width, filter->height, (float)(excess * share * sigma * sigma)};
    sonic_parallel_for(filter->height, ROWS_AT_ONCE, even_rows, &job);
}
