/* curves.h - mouth and sound as curves on one clock of 100 ticks a second, and their projection on common variates.
 *
 * Canonical correlation analysis of the two, each with a neighbourhood in time, as in M. E. Sargin et al., "Audiovisual
 * synchronization and fusion using canonical correlation analysis", IEEE Trans. Multimedia 9, 2007. tools/fit_sync.py
 * fits the basis and the weights. Curves are [channels, ticks], contiguous. */
#ifndef SONIC_LIPSYNC_CURVES_H
#define SONIC_LIPSYNC_CURVES_H

#include "sonic.h"

#define SONIC_LIPSYNC_TICKS_PER_S 100
#define SONIC_LIPSYNC_BANDS 26
#define SONIC_LIPSYNC_MAX_TICKS (1 << 21) /* nearly six hours */
#define SONIC_LIPSYNC_MAX_CHANNELS 128

/* Mouth features by frame: values [frames, count] (NaN: no face), times_s [frames] ascending, scene [frames] the scene
 * number. */
typedef struct sonic_lipsync_frames {
    const float *values;
    const double *times_s;
    const int32_t *scene;
    int64_t frames;
    int32_t count;
} sonic_lipsync_frames;

/* out [components, ticks]: `basis` [count, components] applied to the values, interpolated linearly at the times
 * start_s + k / 100, then band-pass filtered scene by scene: Gaussian low-pass (sigma 25 ms) less the trend (sigma
 * 600 ms). valid [ticks] is 1 where a face was detected at most 0.3 s apart before and after in the same scene, in a
 * stretch of at least 1 s; elsewhere both are 0. SONIC_ERROR_ARGUMENT: sizes outside the limits; SONIC_ERROR_MEMORY. */
sonic_status sonic_lipsync_mouth_curves(float *out, uint8_t *valid, int64_t ticks, const sonic_lipsync_frames *in,
                                        const float *basis, int32_t components, double start_s);

/* out [26, ticks] from whisper's log-mel [80, mel_ticks]: means of three bands, floored at 60 dB below the loudest,
 * Gaussian low-pass (sigma 15 ms) less the trend (sigma 1 s). A shorter spectrogram is extended by its last column.
 * Errors as above. */
sonic_status sonic_lipsync_sound_curves(float *out, int64_t ticks, const float *mel, int64_t mel_ticks);

/* Weights of a linear projection, values [channels, taps, pairs]; taps lie `step` ticks apart. */
typedef struct sonic_lipsync_weights {
    const float *values;
    int32_t channels, taps, pairs, step;
} sonic_lipsync_weights;

/* out [pairs, ticks]: at each tick the sum over channels and taps of curve[channel][tick + (tap - taps / 2) * step]
 * times the weight. Curves are extended by their end values. SONIC_ERROR_ARGUMENT: sizes outside the limits. */
sonic_status sonic_lipsync_project(float *out, const float *curves, int64_t ticks,
                                   const sonic_lipsync_weights *weights);

#endif
