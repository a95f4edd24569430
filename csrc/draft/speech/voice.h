/* voice.h - speech -> one mouth pose per frame, by explicit rules: no network.
 *
 * Usage
 *     sonic_voice_params params = sonic_voice_default_params();
 *     float poses[250 * SONIC_POSE_COUNT];
 *     sonic_status status = sonic_voice_poses(poses, 250, samples, 160000, params); // 10 s of sound
 *
 * Columns of a pose and what drives them
 *   OPENING   amplitude in the vowel band (weights in mouth_pose.c, most on 400-1300 Hz), relative to the speaker's own
 *             level and above the recording's noise. The mouth's area follows the acoustic envelope and most of all the
 *             first resonances, at 2-7 Hz (Chandrasekaran et al. 2009, "The natural statistics of audiovisual speech",
 *             PLoS Comput Biol 5(7): e1000436); a lower jaw raises F1 (Lindblom and Sundberg 1971, JASA 50: 1166-1179).
 *             In running speech mouth and sound move together to within some tens of milliseconds (Schwartz and
 *             Savariaux 2014, PLoS Comput Biol 10(7): e1003743), hence the zero-delay smoothing.
 *   WIDTH     balance of 1.5-3.2 kHz against 0.4-1.1 kHz in voiced sound: F2 is high for spread i, low for rounded u
 *             (Fant 1960, "Acoustic Theory of Speech Production"; Stevens 1998, "Acoustic Phonetics", chapter 6);
 *             relative to the speaker's own balance at that opening.
 *   ROUNDING  the same balance where it is far below the speaker's own: protruded lips lower all resonances.
 *   PRESS     bilabials.h.   BLINK  blink.h.   SWAY_X, SWAY_Y, ROLL  sway.h. */
#ifndef SONIC_DRAFT_SPEECH_VOICE_H
#define SONIC_DRAFT_SPEECH_VOICE_H

#include "draft/pose.h"
#include "sonic.h"

typedef struct sonic_voice_params {
    uint64_t seed; /* decides blinks and sway, never the mouth */
    float opening; /* factor on the mouth's opening: 0 .. 4, 1 is natural */
    float sway;    /* factor on the head's motion: 0 .. 4, 1 is slight */
    float blink;   /* share of the natural blinks that are kept: 0 .. 1 */
} sonic_voice_params;

sonic_voice_params sonic_voice_default_params(void);

/* poses [frames, SONIC_POSE_COUNT] from samples [count], mono at 16 kHz (SONIC_BANDS_RATE_HZ). Frame i covers the sound
 * from i to i + 1 over SONIC_POSE_FPS seconds; frames past the end of the sound have the mouth at rest.
 * SONIC_ERROR_ARGUMENT for parameters outside their ranges and for samples that are not finite; SONIC_ERROR_MEMORY
 * before the work starts. SONIC_ERROR_CANCELLED when the thread's progress callback (core/progress.h) asks for it; it
 * is told of the hops of 5 ms that are analysed. */
sonic_status sonic_voice_poses(float *poses, int64_t frames, const float *samples, int64_t count,
                               sonic_voice_params params);

#endif
