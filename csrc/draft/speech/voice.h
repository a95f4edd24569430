/* voice.h - speech -> one mouth pose per frame, by rules that can be read: no network. What drives what:
 *
 * OPENING  the amplitude in the vowel band (weights in voice_mouth.c, most on 400-1300 Hz), relative to the speaker's
 * own level and above the recording's noise. The area of the mouth follows the acoustic envelope and most of all the
 * first resonances, at 2-7 Hz (Chandrasekaran et al. 2009, "The natural statistics of audiovisual speech", PLoS Comput
 * Biol 5(7): e1000436); a lower jaw raises F1 (Lindblom and Sundberg 1971, JASA 50: 1166-1179). In running speech the
 * mouth and the sound move together to within some tens of milliseconds (Schwartz and Savariaux 2014, PLoS Comput Biol
 * 10(7): e1003743), hence smoothing without delay that starts shortly before the sound and ends softly. WIDTH    the
 * balance of 1.5-3.2 kHz against 0.4-1.1 kHz in voiced sound: F2 is high for spread i, low for rounded u (Fant 1960,
 * "Acoustic Theory of Speech Production"; Stevens 1998, "Acoustic Phonetics", chapter 6); relative to the speaker's own
 * balance at that opening. ROUNDING the same balance where it is far below the speaker's own: lips that protrude lower
 * all resonances. PRESS    closures.h.     BLINK blink.h.     SWAY sway.h.
 */
#ifndef SONIC_DRAFT_SPEECH_VOICE_H
#define SONIC_DRAFT_SPEECH_VOICE_H

#include "draft/pose.h"
#include "sonic.h"

#define SONIC_VOICE_RATE_HZ 16000

typedef struct sonic_voice_params {
    uint64_t seed; /* decides blinks and sway, never the mouth */
    float opening; /* how far the mouth opens: 0 .. 4, 1 is natural */
    float sway;    /* how far the head moves: 0 .. 4, 1 is slight */
    float blink;   /* share of the natural blinks that are kept: 0 .. 1 */
} sonic_voice_params;

sonic_voice_params sonic_voice_default_params(void);

/* poses [frames, SONIC_POSE_COUNT] from samples [count], mono at SONIC_VOICE_RATE_HZ. Frame i shows the sound between
 * i/25 and (i+1)/25 seconds; frames past the end of the sound have the mouth at rest. SONIC_ERROR_ARGUMENT for
 * parameters outside their ranges and for samples that are not finite; SONIC_ERROR_MEMORY before the work starts. */
sonic_status sonic_voice_poses(float *poses, int64_t frames, const float *samples, int64_t count,
                               sonic_voice_params params);

#endif
