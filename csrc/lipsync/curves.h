/* curves.h - mouth and sound as curves on one clock of 100 cells a second, and what they have in common.
 *
 * Canonical correlation analysis of the two, each with its neighbourhood in time, as in M. E. Sargin et al.,
 * "Audiovisual synchronization and fusion using canonical correlation analysis", IEEE Trans. Multimedia 9, 2007;
 * tools/fit_sync.py makes the weights. Curves are [channels, cells], contiguous. */
#ifndef SONIC_LIPSYNC_CURVES_H
#define SONIC_LIPSYNC_CURVES_H

#include "sonic.h"

#define SONIC_SYNC_CELLS_PER_S 100
#define SONIC_SYNC_BANDS 26
#define SONIC_SYNC_MEL_BANDS 80        /* audio/log_mel.h */
#define SONIC_SYNC_MAX_CELLS (1 << 21) /* nearly six hours */
#define SONIC_SYNC_MAX_CHANNELS 128

/* What was seen of the mouth: frame i at times_s[i] (ascending), values [frames, count] (NaN: no face), scene[i] its
 * scene's number. */
typedef struct sonic_sync_frames {
    const float *values;
    const double *times_s;
    const int32_t *scene;
    int64_t frames;
    int32_t count;
} sonic_sync_frames;

/* out [components, cells]: `basis` [count, components] applied to the values, interpolated to the moments start_s + k /
 * 100, smoothed (Gauss, 25 ms) and freed of what changes slowly (Gauss, 600 ms), scene by scene. valid [cells] is 1
 * where a face was seen at most 0.3 s before and after in the same scene, in a stretch of at least a second; elsewhere
 * both are 0. SONIC_ERROR_ARGUMENT for sizes outside the limits; SONIC_ERROR_MEMORY. */
sonic_status sonic_sync_mouth_curves(float *out, uint8_t *valid, int64_t cells, const sonic_sync_frames *in,
                                     const float *basis, int32_t components, double start_s);

/* out [26, cells] from whisper's log-mel [80, mel_cells]: means of three bands, no more than 60 dB below the loudest,
 * smoothed (15 ms) and freed of what changes slowly (1 s). The last column is repeated when the sound is shorter. */
sonic_status sonic_sync_sound_curves(float *out, int64_t cells, const float *mel, int64_t mel_cells);

/* out [pairs, cells]: at each cell the sum over channels and taps of curve[channel][cell + (tap - taps / 2) * step]
 * times weights [channels, taps, pairs]; beyond the ends the end's value counts. */
typedef struct sonic_sync_weights {
    const float *values;
    int32_t channels, taps, pairs, step;
} sonic_sync_weights;
sonic_status sonic_sync_project(float *out, const float *curves, int64_t cells, const sonic_sync_weights *weights);

#endif
