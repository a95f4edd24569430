/* log_mel.h - the spectrogram that whisper hears.
 *
 * Whisper's log-mel features (A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022,
 * section 2.2; the mel scale and its area normalisation are those of M. Slaney's Auditory Toolbox, 1998). The sound is
 * cut in pieces of 30 s, the last one filled with zeros. Per piece: frames of 400 samples every 160, centred (the piece
 * is reflected at both ends), periodic Hann window, power spectrum, 80 triangles from 0 to 8000 Hz, log10 floored at
 * 1e-10 and at 8 below the piece's largest value, then (x + 4) / 4. */
#ifndef SONIC_AUDIO_LOG_MEL_H
#define SONIC_AUDIO_LOG_MEL_H

#include "sonic.h"

#define SONIC_LOG_MEL_RATE_HZ 16000
#define SONIC_LOG_MEL_BANDS 80
#define SONIC_LOG_MEL_COLUMNS 3000         /* of one piece: 100 per second */
#define SONIC_LOG_MEL_PIECE_SAMPLES 480000 /* 30 s */
#define SONIC_LOG_MEL_MAX_PIECES 240       /* two hours: 230 MB */

/* Pieces that `count` samples make. SONIC_ERROR_ARGUMENT: no sample, or more than two hours. */
sonic_status sonic_log_mel_pieces(int64_t *out, int64_t count);

/* out: [80, 3000 * pieces], bands by time. The sound must have 16000 Hz (SONIC_ERROR_ARGUMENT). A sample that is not a
 * number spoils its whole piece; callers refuse such sound before. Scratch: 40 KB and 1.5 KB per piece. */
sonic_status sonic_log_mel(float *out, sonic_sound sound);

#endif
