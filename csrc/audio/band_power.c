#include "audio/band_power.h"

#include <math.h>
#include <string.h>

#include "core/scalar.h"

enum { BINS = 720 };
static const float lowest_db = -140.0f, bin_db = 0.25f;
/* about Zwicker's critical bands, merged in pairs (Zwicker 1961, JASA 33: 248) */
static const float edges_hz[SONIC_BAND_POWERS + 1] = {150,  300,  450,  600,  800,  1000,
                                                      1300, 1600, 2000, 2500, 3150, 4000};

static int32_t step_of(int32_t rate_hz)
{
    return rate_hz >= SONIC_BAND_POWER_RATE_HZ ? rate_hz / SONIC_BAND_POWER_RATE_HZ : 1;
}

void sonic_band_power_init(sonic_band_power *self, int32_t rate_hz)
{
    sonic_spectrum_init(&self->tables);
    self->step = step_of(rate_hz);
    float bin_hz = (float)rate_hz / (float)self->step / SONIC_SPECTRUM_SAMPLES;
    for (int b = 0; b <= SONIC_BAND_POWERS; b++) {
        float bin = sonic_clampf(edges_hz[b] / bin_hz, 0.0f, SONIC_SPECTRUM_SAMPLES / 2 + 1);
        self->first_bin[b] = (int32_t)ceilf(bin);
    }
}

int64_t sonic_band_power_window(int32_t rate_hz) { return (int64_t)SONIC_SPECTRUM_SAMPLES * step_of(rate_hz); }

void sonic_band_power_measure(float power[SONIC_BAND_POWERS][SONIC_SPECTRUM_LANES], const sonic_band_power *self,
                              float frames[SONIC_SPECTRUM_SAMPLES][SONIC_SPECTRUM_LANES])
{
    float spectrum[SONIC_SPECTRUM_SAMPLES / 2 + 1][SONIC_SPECTRUM_LANES];
    sonic_spectrum_power(spectrum, &self->tables, frames);
    memset(power, 0, sizeof(float) * SONIC_BAND_POWERS * SONIC_SPECTRUM_LANES);
    for (int b = 0; b < SONIC_BAND_POWERS; b++)
        for (int32_t k = self->first_bin[b]; k < self->first_bin[b + 1] && k <= SONIC_SPECTRUM_SAMPLES / 2; k++)
            for (int l = 0; l < SONIC_SPECTRUM_LANES; l++)
                power[b][l] += spectrum[k][l];
}

float sonic_band_power_quantile(const float *powers, int64_t count, int64_t stride, float share)
{
    int64_t counts[BINS] = {0}, rank = (int64_t)(share * (float)count), below = 0;
    for (int64_t i = 0; i < count; i++) {
        int bin = (int)((10.0f * log10f(powers[i * stride] + 1e-15f) - lowest_db) / bin_db);
        counts[sonic_clamp_index(bin, BINS)]++;
    }
    for (int bin = 0; bin < BINS; bin++)
        if ((below += counts[bin]) > rank)
            return bin ? powf(10.0f, 0.1f * (lowest_db + ((float)bin + 0.5f) * bin_db)) : 0.0f;
    return powf(10.0f, 0.1f * (lowest_db + BINS * bin_db));
}
