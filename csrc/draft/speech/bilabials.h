/* bilabials.h - where the lips meet: p, b and m.
 *
 * Every consonant that narrows the mouth is a valley of the energy between 1 and 3 kHz. A score of cues, in decibels
 * against the louder of the neighbouring vowels, estimates how likely the lips made it rather than the tongue:
 *   - depth: a full closure leaves little of 1-3 kHz, in the gap of p and b as in the murmur of m (Stevens 1998,
 *     "Acoustic Phonetics", chapters 7 and 9); l, r and w leave more;
 *   - no frication: fricatives and the aspiration of t and k put energy above 3 kHz into the valley and at its end;
 *     labial bursts are weak and fall with frequency (Stevens and Blumstein 1978, JASA 64: 1358-1368);
 *   - falling formants: beside a labial closure all formants are lower than further in the vowel, so the vowel's edge
 *     is darker than its middle; beside t, d, n F2 moves towards 1.8 kHz, beside k, g F2 and F3 meet (Delattre,
 *     Liberman and Cooper 1955, JASA 27: 769-773);
 *   - a dark murmur: m has less energy at 1.7-3.1 kHz than at 1.1-1.7 kHz, n more (measured on synthetic voices; the
 *     places of articulation of nasals differ in these regions: Kurowski and Blumstein 1987, JASA 81: 1917-1927);
 *   - duration: a labial closure lasts longer than a flap of the tongue.
 * The weights are rounded from a logistic fit with non-negative weights on speech of flite's slt, rms, awb and kal16
 * and of espeak-ng. Leaving any one voice out of the fit gave the same hit rate on that voice; fits on whole spectra
 * were no better. The score also accepts two thirds of d, g and k and a third of n: bench/bilabials.py measures it. */
#ifndef SONIC_DRAFT_SPEECH_BILABIALS_H
#define SONIC_DRAFT_SPEECH_BILABIALS_H

#include "draft/speech/bands.h"

/* Decibels of one hop (15 ms windows) in the bands that the cues compare. */
typedef struct sonic_bilabial_cues {
    float low;    /* 80-400 Hz: voice bar, nasal murmur */
    float first;  /* 400-1080 Hz */
    float dark;   /* 1080-1720 Hz */
    float bright; /* 1720-3150 Hz */
    float middle; /* 1080-3150 Hz */
    float hiss;   /* 3150-7500 Hz */
} sonic_bilabial_cues;

/* cues [hops] from energies [hops, SONIC_BANDS]. SONIC_ERROR_CANCELLED. */
sonic_status sonic_bilabials_measure(sonic_bilabial_cues *cues, const float *energies, int64_t hops);

/* shut [hops]: likelihood that the lips are closed, 0 .. 1. SONIC_ERROR_CANCELLED. */
sonic_status sonic_bilabials_find(float *shut, const sonic_bilabial_cues *cues, int64_t hops);

/* How far the lips are shut in the middle of a video frame (SONIC_POSE_FPS), 0 .. 1: `shut` smoothed over 150 ms, in
 * which lips close and part (Loefqvist and Gracco 1997, J Speech Lang Hear Res 40: 877-893), scaled so that a closure
 * of 60 ms reaches 1. */
float sonic_bilabials_at_frame(const float *shut, int64_t hops, int64_t frame);

#endif
