/* blink.h - spontaneous blinks, decided by the seed.
 *
 * Rate: people in conversation blink 10.5 to 32.5 times a minute (Doughty 2001, Optom Vis Sci 78: 712-725, 95 %
 * interval); the intervals are skewed to the right, near log-normal (Ponder and Kennedy 1927, Q J Exp Physiol 18:
 * 89-110). Here: median 3 s, spread of the logarithm 0.55, so 17 a minute. Shape: the lid falls in about 100 ms and
 * rises 40-47 % slower (Sforza et al. 2008, Ophthalmic Physiol Opt 28: 345-353). */
#ifndef SONIC_DRAFT_SPEECH_BLINK_H
#define SONIC_DRAFT_SPEECH_BLINK_H

#include "sonic.h"

/* Adds blinks to poses [frames, SONIC_POSE_COUNT], whose SONIC_POSE_BLINK is 0. `share` (0 .. 1) of the blinks that the
 * seed generates are kept; every blink closes fully in at least one frame. */
void sonic_blink_add(float *poses, int64_t frames, uint64_t seed, float share);

#endif
