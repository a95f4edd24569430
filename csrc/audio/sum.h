/* sum.h - two recordings at once. */
#ifndef SONIC_AUDIO_SUM_H
#define SONIC_AUDIO_SUM_H

#include "sonic.h"

/* out [max(a.count, b.count)]: a + b from their first samples on; the shorter one is followed by silence. Returns the
 * largest absolute value. */
float sonic_sound_sum(float *out, sonic_sound a, sonic_sound b);

#endif
