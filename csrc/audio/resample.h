/* resample.h - band-limited resampling of mono audio by a rational ratio.
 *
 * Output sample j is the input's band-limited signal at time j / rate_out: there is no delay. The kernel is a sinc with
 * a Kaiser window (J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974):
 * flat up to 0.913 of the lower Nyquist frequency, -120 dB from that frequency on, as the "HQ" setting of the resampler
 * that Sonic was trained with. The signal is zero before the first and after the last sample. */
#ifndef SONIC_AUDIO_RESAMPLE_H
#define SONIC_AUDIO_RESAMPLE_H

#include "sonic.h"

#define SONIC_RESAMPLE_MAX_RATE_HZ 768000
#define SONIC_RESAMPLE_MAX_REDUCTION 4096 /* rate_in / rate_out */
#define SONIC_RESAMPLE_MAX_SAMPLES ((int64_t)1 << 31)

/* Number of output samples for `count` input samples: ceil(count * rate_out / rate_in).
 * SONIC_ERROR_ARGUMENT: a rate outside 1..768000 Hz, a reduction by more than 4096, or more than 2^31 samples in or
 * out. */
sonic_status sonic_resample_count(int64_t *out, int64_t count, int32_t rate_in_hz, int32_t rate_out_hz);

/* out: [sonic_resample_count] at rate_out_hz. Scratch memory is at most 6 MB, whatever the length and the ratio.
 * Fails as sonic_resample_count, and with SONIC_ERROR_MEMORY. */
sonic_status sonic_resample(float *out, sonic_sound in, int32_t rate_out_hz);

#endif
