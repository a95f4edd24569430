/* mouth_pose.h - opening, width and rounding of the mouth from band energies. Sources: voice.h. */
#ifndef SONIC_DRAFT_SPEECH_MOUTH_POSE_H
#define SONIC_DRAFT_SPEECH_MOUTH_POSE_H

#include "draft/speech/bands.h"
#include "draft/speech/level.h"

/* Target of one hop (5 ms), before smoothing. */
typedef struct sonic_mouth_pose {
    float opening;  /* 0 .. about 1.5; 1 is this speaker's loud, open vowel */
    float width;    /* -1 (as in oo) .. 1 (as in ee) */
    float rounding; /* 0 .. 1 */
    float voicing;  /* 0 .. 1: weight of width and rounding when hops are averaged */
} sonic_mouth_pose;

/* amplitudes [hops]: amplitude in the vowel band over 15 ms windows, from energies [hops, SONIC_BANDS]. */
void sonic_mouth_pose_amplitude(float *amplitudes, const float *energies, int64_t hops);

/* mouths [hops]; local [sonic_level_blocks(hops)] from sonic_level_follow. SONIC_ERROR_CANCELLED. */
sonic_status sonic_mouth_pose_measure(sonic_mouth_pose *mouths, const float *energies, const float *amplitudes,
                                      int64_t hops, sonic_level level, const float *local);

/* openings [hops]: the mouths' openings with gaps filled. In a t, k or s between two vowels, up to 240 ms long, the jaw
 * does not return to rest: the mouth stays open by 30 % of the smaller neighbour. */
void sonic_mouth_pose_bridge(float *openings, const sonic_mouth_pose *mouths, int64_t hops);

/* The mouth of one video frame (SONIC_POSE_FPS): a zero-delay smooth average around its middle that reaches 90 ms ahead
 * and 120 ms back, so it opens before the sound, closes softly and is exactly at rest 140 ms after it. */
sonic_mouth_pose sonic_mouth_pose_at_frame(const sonic_mouth_pose *mouths, const float *openings, int64_t hops,
                                           int64_t frame);

#endif
