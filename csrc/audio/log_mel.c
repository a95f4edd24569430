#include "audio/log_mel.h"

#include <math.h>
#include <string.h>

#include "audio/spectrum.h"
#include "core/arena.h"
#include "core/parallel.h"

#define HOP 160
#define BINS (SONIC_SPECTRUM_SAMPLES / 2 + 1)
#define LANES SONIC_SPECTRUM_LANES
#define BLOCKS (SONIC_LOG_MEL_COLUMNS / LANES) /* per piece */
#define LOG_FLOOR (-10.0f)                     /* log10 of 1e-10 */
#define MAX_WEIGHTS (2 * BINS)                 /* a bin is in two triangles at most */

/* The non-zero part of each triangle: band b weights bins first[b] .. first[b] + count[b] - 1. */
typedef struct mel_bank {
    int32_t first[SONIC_LOG_MEL_BANDS], count[SONIC_LOG_MEL_BANDS];
    float weights[MAX_WEIGHTS];
} mel_bank;

typedef struct mel_job {
    const float *samples;
    int64_t count, pieces;
    float *out;         /* [80, 3000 * pieces] */
    float *block_peaks; /* [pieces * BLOCKS]: maximum logarithm of each block */
    sonic_spectrum_tables *tables;
    mel_bank *bank;
} mel_job;

/* Slaney's mel scale: linear below 1000 Hz, logarithmic above. */
static double mel_to_hz(double mel)
{
    return mel < 15.0 ? mel * 200.0 / 3.0 : 1000.0 * exp((mel - 15.0) * log(6.4) / 27.0);
}

static void fill_bank(mel_bank *bank)
{
    const double top_mel = 15.0 + 27.0 * log(8.0) / log(6.4); /* of 8000 Hz */
    int32_t used = 0;
    for (int b = 0; b < SONIC_LOG_MEL_BANDS; b++) {
        double low = mel_to_hz(top_mel * b / 81.0), mid = mel_to_hz(top_mel * (b + 1) / 81.0),
               high = mel_to_hz(top_mel * (b + 2) / 81.0);
        bank->first[b] = bank->count[b] = 0;
        for (int32_t k = 0; k < BINS; k++) {
            double hz = 8000.0 * k / (BINS - 1);
            double weight = fmin((hz - low) / (mid - low), (high - hz) / (high - mid)) * 2.0 / (high - low);
            if (weight <= 0.0 || used == MAX_WEIGHTS)
                continue;
            if (bank->count[b]++ == 0)
                bank->first[b] = k;
            bank->weights[used++] = (float)weight;
        }
    }
}

/* Sample `i` of a piece of `count` samples, zero-padded to 30 s, reflected at both ends without repeating the edge. */
static float piece_sample(const float *piece, int64_t count, int64_t i)
{
    if (i < 0)
        i = -i;
    if (i >= SONIC_LOG_MEL_PIECE_SAMPLES)
        i = 2 * (SONIC_LOG_MEL_PIECE_SAMPLES - 1) - i;
    return i < count ? piece[i] : 0.0f;
}

static void load_frames(float frames[SONIC_SPECTRUM_SAMPLES][LANES], const float *piece, int64_t count, int64_t column)
{
    int64_t first = column * HOP - SONIC_SPECTRUM_SAMPLES / 2;
    if (first >= 0 && first + (LANES - 1) * HOP + SONIC_SPECTRUM_SAMPLES <= count) {
        for (int i = 0; i < SONIC_SPECTRUM_SAMPLES; i++)
            for (int lane = 0; lane < LANES; lane++)
                frames[i][lane] = piece[first + lane * HOP + i];
        return;
    }
    for (int i = 0; i < SONIC_SPECTRUM_SAMPLES; i++)
        for (int lane = 0; lane < LANES; lane++)
            frames[i][lane] = piece_sample(piece, count, first + lane * HOP + i);
}

/* log10 of LANES positive normal numbers, error 3e-7. The C library's log10 took half of the total time; compilers
 * vectorise this loop. x = m 2^e with m from sqrt(1/2) to sqrt(2); the polynomial for ln(m) is from S. L. Moshier's
 * Cephes library (logf). */
static void log10_lanes(float *out, const float *x)
{
    for (int l = 0; l < LANES; l++) {
        int32_t bits;
        memcpy(&bits, &x[l], sizeof bits);
        int32_t exponent = (bits - 0x3f3504f3) >> 23; /* 0x3f3504f3 is sqrt(1/2) */
        bits -= exponent * (1 << 23);
        float m;
        memcpy(&m, &bits, sizeof m);
        float z = m - 1.0f, p = 7.0376836292e-2f;
        p = p * z - 1.1514610310e-1f;
        p = p * z + 1.1676998740e-1f;
        p = p * z - 1.2420140846e-1f;
        p = p * z + 1.4249322787e-1f;
        p = p * z - 1.6668057665e-1f;
        p = p * z + 2.0000714765e-1f;
        p = p * z - 2.4999993993e-1f;
        p = p * z + 3.3333331174e-1f;
        float natural = z + z * z * (p * z - 0.5f);
        float e = (float)exponent; /* log10(2) in two parts: the product with the first is exact */
        out[l] = e * 0.301025390625f + (e * 4.6050389811952137e-6f + natural * 0.43429448190f);
    }
}

static float largest(const float *x)
{
    float peak = x[0];
    for (int l = 1; l < LANES; l++)
        peak = x[l] > peak ? x[l] : peak;
    return peak;
}

/* Writes LANES columns of logarithms and returns their maximum. */
static float store_logarithms(float *out, int64_t stride, const mel_bank *bank, float power[BINS][LANES])
{
    const float *weight = bank->weights;
    float peaks[LANES], sums[LANES], logarithms[LANES];
    for (int l = 0; l < LANES; l++)
        peaks[l] = LOG_FLOOR;
    for (int b = 0; b < SONIC_LOG_MEL_BANDS; b++, out += stride) {
        const float (*bins)[LANES] = (const float (*)[LANES])power + bank->first[b];
        for (int l = 0; l < LANES; l++)
            sums[l] = 0.0f;
        for (int32_t k = 0; k < bank->count[b]; k++, weight++)
            for (int l = 0; l < LANES; l++)
                sums[l] += *weight * bins[k][l];
        for (int l = 0; l < LANES; l++)
            sums[l] = sums[l] > 1e-10f ? sums[l] : 1e-10f;
        log10_lanes(logarithms, sums);
        for (int l = 0; l < LANES; l++)
            peaks[l] = logarithms[l] > peaks[l] ? logarithms[l] : peaks[l];
        memcpy(out, logarithms, sizeof logarithms);
    }
    return largest(peaks);
}

/* The zero padding needs no transform: its power is 0 in every band. */
static void store_silence(float *out, int64_t stride)
{
    for (int b = 0; b < SONIC_LOG_MEL_BANDS; b++, out += stride)
        for (int lane = 0; lane < LANES; lane++)
            out[lane] = LOG_FLOOR;
}

static void transform_blocks(int64_t begin, int64_t end, void *context)
{
    const mel_job *job = context;
    const int64_t stride = SONIC_LOG_MEL_COLUMNS * job->pieces;
    float frames[SONIC_SPECTRUM_SAMPLES][LANES], power[BINS][LANES];
    for (int64_t block = begin; block < end; block++) {
        int64_t start = block / BLOCKS * SONIC_LOG_MEL_PIECE_SAMPLES, column = block % BLOCKS * LANES;
        int64_t count =
            job->count - start < SONIC_LOG_MEL_PIECE_SAMPLES ? job->count - start : SONIC_LOG_MEL_PIECE_SAMPLES;
        float *out = job->out + block * LANES;
        job->block_peaks[block] = LOG_FLOOR;
        if (column * HOP - SONIC_SPECTRUM_SAMPLES / 2 >= count) {
            store_silence(out, stride);
            continue;
        }
        load_frames(frames, job->samples + start, count, column);
        sonic_spectrum_power(power, job->tables, frames);
        job->block_peaks[block] = store_logarithms(out, stride, job->bank, power);
    }
}

/* A row is one band of one piece: applies the floor and the scale. */
static void scale_rows(int64_t begin, int64_t end, void *context)
{
    const mel_job *job = context;
    for (int64_t row = begin; row < end; row++) {
        const float *peaks = job->block_peaks + row % job->pieces * BLOCKS;
        float peak = LOG_FLOOR;
        for (int i = 0; i < BLOCKS; i++)
            peak = peaks[i] > peak ? peaks[i] : peak;
        float *out = job->out + row * SONIC_LOG_MEL_COLUMNS;
        for (int i = 0; i < SONIC_LOG_MEL_COLUMNS; i++)
            out[i] = ((out[i] > peak - 8.0f ? out[i] : peak - 8.0f) + 4.0f) * 0.25f;
    }
}

sonic_status sonic_log_mel_pieces(int64_t *out, int64_t count)
{
    *out = 0;
    if (count < 1)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Give a recording that contains sound: it has no samples.");
    if (count > (int64_t)SONIC_LOG_MEL_MAX_PIECES * SONIC_LOG_MEL_PIECE_SAMPLES)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Use a shorter recording: %.0f s are more than two hours.",
                          (double)count / SONIC_LOG_MEL_RATE_HZ);
    *out = (count + SONIC_LOG_MEL_PIECE_SAMPLES - 1) / SONIC_LOG_MEL_PIECE_SAMPLES;
    return SONIC_OK;
}

sonic_status sonic_log_mel(float *out, sonic_sound sound)
{
    mel_job job = {.samples = sound.samples, .count = sound.count, .out = out};
    sonic_status status = sonic_log_mel_pieces(&job.pieces, sound.count);
    if (status != SONIC_OK)
        return status;
    if (sound.rate_hz != SONIC_LOG_MEL_RATE_HZ)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Resample the sound to 16000 Hz first: it has %d Hz.",
                          (int)sound.rate_hz);
    size_t peaks_size = (size_t)job.pieces * BLOCKS * sizeof *job.block_peaks;
    sonic_arena *arena;
    status = sonic_arena_create(&arena, sonic_arena_piece(sizeof *job.tables) + sonic_arena_piece(sizeof *job.bank) +
                                            sonic_arena_piece(peaks_size));
    if (status != SONIC_OK)
        return status;
    job.tables = sonic_arena_take(arena, sizeof *job.tables);
    job.bank = sonic_arena_take(arena, sizeof *job.bank);
    job.block_peaks = sonic_arena_take(arena, peaks_size);
    sonic_spectrum_init(job.tables);
    fill_bank(job.bank);
    sonic_parallel_for(job.pieces * BLOCKS, 16, transform_blocks, &job);
    sonic_parallel_for(SONIC_LOG_MEL_BANDS * job.pieces, 20, scale_rows, &job);
    sonic_arena_free(arena);
    return SONIC_OK;
}
