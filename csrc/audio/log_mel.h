/* log_mel.h - the spectrogram that is Whisper's input.
 *
 * Whisper's log-mel features (A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022,
 * section 2.2; the mel scale and its area normalisation are those of M. Slaney's Auditory Toolbox, 1998). The audio is
 * split into pieces of 30 s, the last one zero-padded. Per piece: frames of 400 samples with a hop of 160, centred with
 * reflection padding, periodic Hann window, power spectrum, 80 triangular filters from 0 to 8000 Hz, log10 floored at
 * 1e-10 and at 8 below the piece's maximum, then (x + 4) / 4. */
#ifndef SONIC_AUDIO_LOG_MEL_H
#define SONIC_AUDIO_LOG_MEL_H

#include "sonic.h"

#define SONIC_LOG_MEL_RATE_HZ 16000
#define SONIC_LOG_MEL_BANDS 80
#define SONIC_LOG_MEL_COLUMNS 3000         /* of one piece: 100 per second */
#define SONIC_LOG_MEL_PIECE_SAMPLES 480000 /* 30 s */
#define SONIC_LOG_MEL_MAX_PIECES 240       /* two hours: 230 MB */

/* Number of pieces for `count` samples. SONIC_ERROR_ARGUMENT: no samples, or more than two hours. */
sonic_status sonic_log_mel_pieces(int64_t *out, int64_t count);

/* out: [80, 3000 * pieces], bands by time. The audio must be at 16000 Hz (SONIC_ERROR_ARGUMENT). A NaN or infinite
 * sample makes its whole piece invalid; callers check for them. Scratch: 40 KB and 1.5 KB per piece. */
sonic_status sonic_log_mel(float *out, sonic_sound sound);

#endif
