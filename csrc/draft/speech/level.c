#include "draft/speech/level.h"

#include <math.h>
#include <string.h>

#include "core/scalar.h"

enum { BINS = 680, REACH_BLOCKS = 3, NOISE_HOPS = 20 };
static const float lowest_db = -140.0f, bin_db = 0.25f;
static const float digital_silence_db = -80.0f; /* below the loudest: more than the range of a room and a microphone */
static const float oversubtraction = 1.5f;
static const float above_floor_db = 5.5f; /* from here on a hop is not background */
static const float least_energy = 1e-7f;  /* -70 dB of full scale */

typedef struct histogram {
    int64_t counts[BINS], total;
} histogram;

static float decibels(float amplitude) { return 20.0f * log10f(amplitude + 1e-8f); }

static float amplitude_of(float db) { return powf(10.0f, 0.05f * db); }

static void count_one(histogram *h, float db)
{
    int bin = (int)((db - lowest_db) / bin_db);
    h->counts[sonic_clamp_index(bin, BINS)]++;
    h->total++;
}

/* Counts the amplitudes louder than `above_db`. */
static void count_levels(histogram *h, const float *amplitudes, int64_t hops, float above_db)
{
    memset(h, 0, sizeof *h);
    for (int64_t i = 0; i < hops; i++) {
        float db = decibels(amplitudes[i]);
        if (db > above_db)
            count_one(h, db);
    }
}

/* The quantile `share` of the counted levels; -inf when nothing was counted. */
static float percentile_db(const histogram *h, float share)
{
    int64_t below = 0, rank = (int64_t)(share * (float)h->total);
    if (!h->total)
        return -INFINITY;
    for (int bin = 0; bin < BINS; bin++)
        if ((below += h->counts[bin]) > rank)
            return lowest_db + ((float)bin + 0.5f) * bin_db;
    return lowest_db + BINS * bin_db;
}

/* Mean energy of one band over 100 ms. */
static float band_mean(const float *energies, int64_t hops, int64_t hop, int band)
{
    float sum = 0.0f;
    int64_t end = hop + NOISE_HOPS < hops ? hop + NOISE_HOPS : hops;
    for (int64_t i = hop; i < end; i++)
        sum += energies[i * SONIC_BANDS + band];
    return sum / (float)(end - hop);
}

static float noise_energy(const float *energies, int64_t hops, int band)
{
    histogram h = {0};
    for (int64_t hop = 0; hop < hops; hop += NOISE_HOPS) {
        float db = decibels(sqrtf(band_mean(energies, hops, hop, band)));
        if (db > lowest_db)
            count_one(&h, db);
    }
    float amplitude = h.total ? amplitude_of(percentile_db(&h, 0.10f)) : 0.0f;
    return amplitude * amplitude;
}

void sonic_level_subtract_noise(float *energies, int64_t hops)
{
    for (int band = 0; band < SONIC_BANDS; band++) {
        float noise = oversubtraction * noise_energy(energies, hops, band);
        for (int64_t i = 0; i < hops; i++) {
            float left = energies[i * SONIC_BANDS + band] - noise;
            energies[i * SONIC_BANDS + band] = left > 0.0f ? left : 0.0f;
        }
    }
}

static float total_energy(const float energy[SONIC_BANDS])
{
    float sum = 0.0f;
    for (int b = 0; b < SONIC_BANDS; b++)
        sum += energy[b];
    return sum;
}

void sonic_level_normalise(float *energies, int64_t hops)
{
    float loudest = 0.0f;
    for (int64_t i = 0; i < hops; i++)
        loudest = fmaxf(loudest, total_energy(energies + i * SONIC_BANDS));
    float scale = loudest > least_energy ? 1.0f / loudest : 0.0f;
    for (int64_t i = 0; i < hops * SONIC_BANDS; i++)
        energies[i] *= scale;
}

sonic_level sonic_level_measure(const float *amplitudes, int64_t hops)
{
    histogram h;
    sonic_level level = {0};
    count_levels(&h, amplitudes, hops, digital_silence_db);
    float floor_db = percentile_db(&h, 0.10f);
    if (!h.total)
        return level;
    count_levels(&h, amplitudes, hops, floor_db + above_floor_db);
    level.floor = amplitude_of(floor_db);
    if (!h.total)
        return level;
    float voice_db = percentile_db(&h, 0.90f);
    level.voice = amplitude_of(voice_db);
    level.presence = sonic_smoothstep((voice_db - floor_db - 6.0f) / 3.0f);
    return level;
}

int64_t sonic_level_blocks(int64_t hops) { return (hops + SONIC_LEVEL_BLOCK_HOPS - 1) / SONIC_LEVEL_BLOCK_HOPS; }

static float loudest_near(const float *blocks_db, int64_t blocks, int64_t block)
{
    float loudest = -INFINITY;
    for (int64_t i = block - REACH_BLOCKS; i <= block + REACH_BLOCKS; i++)
        if (i >= 0 && i < blocks && blocks_db[i] > loudest)
            loudest = blocks_db[i];
    return loudest;
}

static float block_db(const float *amplitudes, int64_t hops, int64_t block)
{
    histogram h;
    int64_t start = block * SONIC_LEVEL_BLOCK_HOPS, left = hops - start;
    count_levels(&h, amplitudes + start, left < SONIC_LEVEL_BLOCK_HOPS ? left : SONIC_LEVEL_BLOCK_HOPS, lowest_db);
    return percentile_db(&h, 0.90f);
}

/* 0.6 of the way from the recording's level to the local one, at most 12 dB below and 6 dB above it. */
static float between(float voice_db, float near_db)
{
    float offset = 0.6f * (near_db - voice_db);
    return voice_db + sonic_clampf(offset, -12.0f, 6.0f);
}

void sonic_level_follow(float *local, float *scratch, const float *amplitudes, int64_t hops, sonic_level level)
{
    int64_t blocks = sonic_level_blocks(hops);
    float voice_db = decibels(level.voice);
    for (int64_t block = 0; block < blocks; block++)
        scratch[block] = block_db(amplitudes, hops, block);
    for (int64_t block = 0; block < blocks; block++)
        local[block] = amplitude_of(between(voice_db, loudest_near(scratch, blocks, block)));
}

float sonic_level_at(const float *local, int64_t blocks, int64_t hop)
{
    float position = ((float)(hop % SONIC_LEVEL_BLOCK_HOPS) + 0.5f) / SONIC_LEVEL_BLOCK_HOPS - 0.5f;
    int64_t block = hop / SONIC_LEVEL_BLOCK_HOPS, other = position < 0.0f ? block - 1 : block + 1;
    if (other < 0 || other >= blocks)
        return local[block];
    float share = position < 0.0f ? -position : position;
    return local[block] * (1.0f - share) + local[other] * share;
}
