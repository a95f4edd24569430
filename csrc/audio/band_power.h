/* band_power.h - power of windows of 50 ms in 11 bands from 150 to 4000 Hz, where speech has its first resonances.
 * Input of channels.h and speech_activity.h. */
#ifndef SONIC_AUDIO_BAND_POWER_H
#define SONIC_AUDIO_BAND_POWER_H

#include "audio/spectrum.h"
#include "sonic.h"

#define SONIC_BAND_POWERS 11
#define SONIC_BAND_POWER_RATE_HZ 8000 /* samples are averaged down to 8000 .. 15999 Hz */

typedef struct sonic_band_power {
    sonic_spectrum_tables tables;
    int32_t step;                             /* samples that become one by averaging */
    int32_t first_bin[SONIC_BAND_POWERS + 1]; /* of each band, and the end */
} sonic_band_power;

/* rate_hz at least 1. At rates below 8000 Hz the highest bands have no bins and power 0. */
void sonic_band_power_init(sonic_band_power *self, int32_t rate_hz);

/* Samples of one window. */
int64_t sonic_band_power_window(int32_t rate_hz);

/* frames [400][lane]: one window of averaged samples a lane, overwritten. power [band][lane]: mean square in the band,
 * up to a constant factor. */
void sonic_band_power_measure(float power[SONIC_BAND_POWERS][SONIC_SPECTRUM_LANES], const sonic_band_power *self,
                              float frames[SONIC_SPECTRUM_SAMPLES][SONIC_SPECTRUM_LANES]);

/* The `share` quantile of `count` powers that are `stride` apart, to 0.25 dB; 0 when fewer than that share are above
 * -140 dB. */
float sonic_band_power_quantile(const float *powers, int64_t count, int64_t stride, float share);

#endif
