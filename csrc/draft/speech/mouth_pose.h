/* mouth_pose.h - opening, width and rounding of the mouth from band energies. The sources are in voice.h. */
#ifndef SONIC_DRAFT_SPEECH_MOUTH_POSE_H
#define SONIC_DRAFT_SPEECH_MOUTH_POSE_H

#include "draft/speech/bands.h"
#include "draft/speech/level.h"

/* What the sound of one cell (5 ms) asks of the mouth, before smoothing. */
typedef struct sonic_mouth {
    float opening;  /* 0 .. about 1.5; 1 is this speaker's loud, open vowel */
    float width;    /* -1 (as in oo) .. 1 (as in ee) */
    float rounding; /* 0 .. 1 */
    float voicing;  /* 0 .. 1: weight of width and rounding when cells are averaged */
} sonic_mouth;

/* Amplitude in the vowel band, 15 ms windows: amplitudes [cells] from energies [cells, SONIC_BANDS]. */
void sonic_mouth_amplitude(float *amplitudes, const float *energies, int64_t cells);

/* mouths [cells]; local [sonic_level_blocks(cells)] from sonic_level_follow. */
void sonic_mouth_measure(sonic_mouth *mouths, const float *energies, const float *amplitudes, int64_t cells,
                         sonic_level level, const float *local);

/* openings [cells]: the mouths' openings, bridged: in the gaps of t, k or s between two vowels, up to 240 ms long, the
 * jaw does not come back to rest, so the mouth stays open by 30 % of the smaller of the two. */
void sonic_mouth_bridge(float *openings, const sonic_mouth *mouths, int64_t cells);

/* The mouth of one video frame (25 a second): a smooth average around its middle, without delay, that reaches 90 ms
 * ahead and 120 ms back, so it begins before the sound, ends softly and is exactly at rest 140 ms after it. */
sonic_mouth sonic_mouth_at_frame(const sonic_mouth *mouths, const float *openings, int64_t cells, int64_t frame);

#endif
