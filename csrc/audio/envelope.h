/* envelope.h - loudness of the voice during each video frame. */
#ifndef SONIC_AUDIO_ENVELOPE_H
#define SONIC_AUDIO_ENVELOPE_H

#include "sonic.h"

/* out: [frames], the root mean square of the samples from round(i * rate / fps) to round((i + 1) * rate / fps), 0 after
 * the end of the audio. fps 1..1000, frames 0..2^31, rate at least 1 Hz; otherwise SONIC_ERROR_ARGUMENT. */
sonic_status sonic_envelope(float *out, sonic_sound sound, double fps, int64_t frames);

#endif
