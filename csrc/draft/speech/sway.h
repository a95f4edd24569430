/* sway.h - the slight, slow head motion of a speaker, decided by the seed.
 *
 * Two layers: random drift, a smooth curve through random points 1.6 s apart (nothing faster than about 0.6 Hz), and
 * nods that follow the phrases, the voice's loudness at 1-2 Hz: head motion follows the envelope at that rate (Pedersen
 * et al. 2022, PLoS Comput Biol 18(7): e1010273; Munhall et al. 2004, Psychol Sci 15: 133-137). */
#ifndef SONIC_DRAFT_SPEECH_SWAY_H
#define SONIC_DRAFT_SPEECH_SWAY_H

#include "sonic.h"

/* Sets SONIC_POSE_SWAY_X, _SWAY_Y and _ROLL of poses [frames, SONIC_POSE_COUNT], whose openings are final. The first
 * frame stays at rest. With amount 1: |x| <= 0.02, |y| <= 0.02, |roll| <= 0.03; in proportion for other amounts. */
void sonic_sway_add(float *poses, int64_t frames, uint64_t seed, float amount);

#endif
