#include "audio/speech_activity.h"

#include <math.h>
#include <stdlib.h>

#include "audio/band_power.h"

#define BANDS SONIC_BAND_POWERS
#define LANES SONIC_SPECTRUM_LANES

/* Hann's window: mean square of the samples by the sum of half the spectrum's powers. */
static const float mean_square = 2.0f / (SONIC_SPECTRUM_SAMPLES * 0.375f * SONIC_SPECTRUM_SAMPLES);

/* frames: LANES consecutive windows of averaged samples, from sample `start` on; zeros behind the end. */
static void fill(float frames[SONIC_SPECTRUM_SAMPLES][LANES], sonic_sound sound, int64_t start, int32_t step)
{
    for (int lane = 0; lane < LANES; lane++)
        for (int64_t i = 0; i < SONIC_SPECTRUM_SAMPLES; i++) {
            int64_t begin = start + (lane * SONIC_SPECTRUM_SAMPLES + i) * step;
            float sum = 0.0f;
            for (int64_t k = begin; k < begin + step && k < sound.count; k++)
                sum += sound.samples[k];
            frames[i][lane] = sum / (float)step;
        }
}

/* tenths [count, BANDS]: mean square of each band during two windows. */
static void measure_tenths(float *tenths, int64_t count, sonic_sound sound, const sonic_band_power *bands)
{
    for (int64_t first = 0; first < count; first += LANES / 2) {
        float frames[SONIC_SPECTRUM_SAMPLES][LANES], power[BANDS][LANES];
        fill(frames, sound, first * 2 * sonic_band_power_window(sound.rate_hz), bands->step);
        sonic_band_power_measure(power, bands, frames);
        for (int64_t i = 0; i < LANES / 2 && first + i < count; i++)
            for (int b = 0; b < BANDS; b++)
                tenths[(first + i) * BANDS + b] = 0.5f * mean_square * (power[b][2 * i] + power[b][2 * i + 1]);
    }
}

static float loud_of(const float *tenths, int64_t count, float *totals)
{
    for (int64_t i = 0; i < count; i++) {
        totals[i] = 0.0f;
        for (int b = 0; b < BANDS; b++)
            totals[i] += tenths[i * BANDS + b];
    }
    return sqrtf(sonic_band_power_quantile(totals, count, 1, 0.97f));
}

/* The second-largest range of the bands: one band alone may be a click or a beat of two tones. */
static float range_of(const float *tenths, int64_t count)
{
    float first = 0.0f, second = 0.0f;
    for (int b = 0; b < BANDS; b++) {
        float loud = sonic_band_power_quantile(tenths + b, count, BANDS, 0.97f);
        float soft = sonic_band_power_quantile(tenths + b, count, BANDS, 0.20f);
        float range = loud > 0.0f ? 10.0f * log10f(loud / (soft + 1e-14f)) : 0.0f;
        if (range > first)
            second = first, first = range;
        else if (range > second)
            second = range;
    }
    return second;
}

sonic_status sonic_speech_activity_measure(sonic_speech_activity *out, sonic_sound sound)
{
    sonic_band_power bands;
    if (sound.rate_hz < 1)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a rate of at least 1 Hz: it is %d.", (int)sound.rate_hz);
    sonic_band_power_init(&bands, sound.rate_hz);
    int64_t count = sound.count / (2 * sonic_band_power_window(sound.rate_hz));
    count = count > 0 ? count : 1;
    float *tenths = malloc(sizeof(float) * (BANDS + 1) * (size_t)count);
    if (!tenths)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for %lld tenths of a second.",
                          (long long)count);
    *out = (sonic_speech_activity){0};
    for (int64_t i = 0; i < sound.count; i++)
        out->peak = fmaxf(out->peak, fabsf(sound.samples[i]));
    measure_tenths(tenths, count, sound, &bands);
    out->range_db = range_of(tenths, count);
    out->loud = loud_of(tenths, count, tenths + BANDS * count);
    free(tenths);
    return SONIC_OK;
}
