/* envelope.h - how loud the voice is during each frame of the video. */
#ifndef SONIC_AUDIO_ENVELOPE_H
#define SONIC_AUDIO_ENVELOPE_H

#include "sonic.h"

/* out: [frames], the root mean square of the samples from round(i * rate / fps) to round((i + 1) * rate / fps), 0 after
 * the sound's end. fps 1..1000, frames 0..2^31. SONIC_ERROR_ARGUMENT otherwise, or for a rate below 1 Hz. */
sonic_status sonic_envelope(float *out, sonic_sound sound, double fps, int64_t frames);

#endif
