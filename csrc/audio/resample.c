#include "audio/resample.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "core/parallel.h"

/* Kaiser's formulas for 120 dB: beta = 0.1102 (A - 8.7), and taps = (A - 7.95) / (14.36 * width) for a transition
 * `width` in cycles per sample. The pass band ends at 0.913 of Nyquist, so the width is 0.0435; the sinc's cut-off is
 * the middle of the transition. */
#define KAISER_BETA 12.265
#define CUTOFF 0.9565    /* of the lower Nyquist frequency */
#define HALF_LENGTH 90.0 /* zero crossings at the lower rate, on each side */

/* Up to this many coefficients every phase has its own row; above it, rows are interpolated between fixed phases. */
#define MAX_EXACT_COEFFICIENTS ((int64_t)1 << 20)
/* Linear interpolation between P rows per lower-rate sample errs by less than pi^2 / (8 P^2) = 1.2e-6. */
#define INTERPOLATED_PHASES 1024

typedef struct resampler {
    const float *in;
    float *out;
    int64_t count_in;
    int64_t up, down; /* out / in rates without common divisor */
    int64_t taps, rows;
    float *bank; /* [rows, taps]; row r is the kernel for an output at fraction r / phases after an input sample */
    int exact;   /* rows are all `up` phases; else rows - 1 equidistant phases and the end point */
} resampler;

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t remainder = a % b;
        a = b;
        b = remainder;
    }
    return a;
}

/* Modified Bessel function of the first kind, order 0, by its power series. */
static double bessel_i0(double x)
{
    double sum = 1.0, term = 1.0;
    for (int k = 1; term > 1e-17 * sum; k++) {
        term *= x / (2.0 * k) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

/* The kernel at `x` samples of the lower rate from its centre, without its constant factor. */
static double kernel(double x)
{
    double u = x / HALF_LENGTH;
    if (fabs(u) >= 1.0)
        return 0.0;
    double angle = 3.14159265358979323846 * CUTOFF * x;
    double sinc = fabs(angle) < 1e-9 ? 1.0 : sin(angle) / angle;
    return sinc * bessel_i0(KAISER_BETA * sqrt(1.0 - u * u));
}

/* Coefficients for an output at `fraction` of an input sample after tap taps/2 - 1, normalised to unit gain at DC. */
static void fill_row(float *row, int64_t taps, double fraction, double stretch)
{
    double sum = 0.0;
    for (int64_t k = 0; k < taps; k++) {
        row[k] = (float)kernel(((double)(k - (taps / 2 - 1)) - fraction) / stretch);
        sum += row[k];
    }
    for (int64_t k = 0; k < taps; k++)
        row[k] = (float)(row[k] / sum);
}

static void fill_rows(int64_t begin, int64_t end, void *context)
{
    const resampler *r = context;
    double stretch = r->down > r->up ? (double)r->down / (double)r->up : 1.0;
    double phases = (double)(r->exact ? r->up : r->rows - 1);
    for (int64_t i = begin; i < end; i++)
        fill_row(r->bank + i * r->taps, r->taps, (double)i / phases, stretch);
}

/* Sixteen independent sums stay in vector registers, and the rounding error grows with n / 16. */
static float dot(const float *a, const float *b, int64_t n)
{
    float sums[16] = {0};
    int64_t k = 0;
    for (; k + 16 <= n; k += 16)
        for (int j = 0; j < 16; j++)
            sums[j] += a[k + j] * b[k + j];
    float tail = 0.0f;
    for (; k < n; k++)
        tail += a[k] * b[k];
    for (int j = 8; j > 0; j /= 2)
        for (int i = 0; i < j; i++)
            sums[i] += sums[i + j];
    return sums[0] + tail;
}

static void make_samples(int64_t begin, int64_t end, void *context)
{
    const resampler *r = context;
    for (int64_t j = begin; j < end; j++) {
        int64_t whole = j * r->down / r->up, phase = j * r->down % r->up;
        int64_t first = whole - (r->taps / 2 - 1); /* input sample of tap 0; samples outside the audio are 0 */
        int64_t lo = first < 0 ? -first : 0;
        int64_t hi = first + r->taps > r->count_in ? r->count_in - first : r->taps;
        if (hi <= lo) {
            r->out[j] = 0.0f;
            continue;
        }
        const float *x = r->in + first + lo;
        double place = r->exact ? (double)phase : (double)phase / (double)r->up * (double)(r->rows - 1);
        int64_t row = (int64_t)place;
        float value = dot(r->bank + row * r->taps + lo, x, hi - lo);
        if (!r->exact)
            value += (float)(place - (double)row) * (dot(r->bank + (row + 1) * r->taps + lo, x, hi - lo) - value);
        r->out[j] = value;
    }
}

static sonic_status check_rates(int32_t rate_in_hz, int32_t rate_out_hz)
{
    if (rate_in_hz < 1 || rate_in_hz > SONIC_RESAMPLE_MAX_RATE_HZ || rate_out_hz < 1 ||
        rate_out_hz > SONIC_RESAMPLE_MAX_RATE_HZ)
        return sonic_fail(
            SONIC_ERROR_ARGUMENT,
            "Convert the sound to 48000 Hz: sampling rates from 1 to %d Hz are supported, not %d to %d Hz.",
            SONIC_RESAMPLE_MAX_RATE_HZ, (int)rate_in_hz, (int)rate_out_hz);
    if (rate_in_hz / SONIC_RESAMPLE_MAX_REDUCTION > rate_out_hz)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a higher target rate: %d to %d Hz is a reduction by more than %d.", (int)rate_in_hz,
                          (int)rate_out_hz, SONIC_RESAMPLE_MAX_REDUCTION);
    return SONIC_OK;
}

sonic_status sonic_resample_count(int64_t *out, int64_t count, int32_t rate_in_hz, int32_t rate_out_hz)
{
    *out = 0;
    sonic_status status = check_rates(rate_in_hz, rate_out_hz);
    if (status != SONIC_OK)
        return status;
    /* 2^31 * 768000 stays below 2^51 */
    if (count >= 0 && count <= SONIC_RESAMPLE_MAX_SAMPLES)
        *out = (count * rate_out_hz + rate_in_hz - 1) / rate_in_hz;
    if (count < 0 || count > SONIC_RESAMPLE_MAX_SAMPLES || *out > SONIC_RESAMPLE_MAX_SAMPLES)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Use a shorter recording: %lld samples from %d to %d Hz are more than can be handled.",
                          (long long)count, (int)rate_in_hz, (int)rate_out_hz);
    return SONIC_OK;
}

/* The size of the bank; a stretched kernel needs fewer rows per input sample for the same precision. */
static void plan_bank(resampler *r)
{
    double stretch = r->down > r->up ? (double)r->down / (double)r->up : 1.0;
    r->taps = 2 * (int64_t)ceil(HALF_LENGTH * stretch + 1.0);
    r->exact = r->up * r->taps <= MAX_EXACT_COEFFICIENTS;
    r->rows = r->exact ? r->up : (int64_t)ceil(INTERPOLATED_PHASES / stretch) + 1;
}

sonic_status sonic_resample(float *out, sonic_sound in, int32_t rate_out_hz)
{
    int64_t count_out;
    sonic_status status = sonic_resample_count(&count_out, in.count, in.rate_hz, rate_out_hz);
    if (status != SONIC_OK || count_out == 0)
        return status;
    if (in.rate_hz == rate_out_hz) {
        memcpy(out, in.samples, (size_t)in.count * sizeof *out);
        return SONIC_OK;
    }
    int64_t divisor = greatest_common_divisor(in.rate_hz, rate_out_hz);
    resampler r = {
        .in = in.samples, .out = out, .count_in = in.count, .up = rate_out_hz / divisor, .down = in.rate_hz / divisor};
    plan_bank(&r);
    sonic_arena *arena;
    size_t size = (size_t)(r.rows * r.taps) * sizeof *r.bank;
    status = sonic_arena_create(&arena, sonic_arena_piece(size));
    if (status != SONIC_OK)
        return status;
    r.bank = sonic_arena_take(arena, size);
    sonic_parallel_for(r.rows, 1 + 4096 / r.taps, fill_rows, &r);
    sonic_parallel_for(count_out, 1 + 65536 / r.taps, make_samples, &r);
    sonic_arena_free(arena);
    return SONIC_OK;
}
