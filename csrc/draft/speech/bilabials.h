/* bilabials.h - where the lips meet: p, b and m.
 *
 * Every consonant that narrows the mouth is a valley of the energy between 1 and 3 kHz; a score of cues, in decibels
 * against the louder of the neighbouring vowels, says how likely lips made it, rather than the tongue:
 *   - depth: a full closure leaves little of 1-3 kHz, in the gap of p and b as in the murmur of m (Stevens 1998,
 * "Acoustic Phonetics", chapters 7 and 9); l, r and w leave more;
 *   - no hiss: fricatives and the puff of t and k put energy above 3 kHz into the valley and at its end, labial bursts
 * are weak and fall with frequency (Stevens and Blumstein 1978, JASA 64: 1358-1368);
 *   - falling formants: beside a labial closure all formants are lower than further in the vowel, so the vowel's edge
 * is darker than its middle; beside t, d, n F2 heads for 1.8 kHz, and beside k, g F2 and F3 meet (Delattre, Liberman
 * and Cooper 1955, JASA 27: 769-773);
 *   - a dark murmur: where it hums, m has less at 1.7-3.1 kHz than at 1.1-1.7 kHz, n more (measured on synthetic
 * voices; the places of nasals differ in just these regions: Kurowski and Blumstein 1987, JASA 81: 1917-1927);
 *   - duration: lips stay shut longer than the tongue flaps.
 * The weights are round numbers near a logistic fit without negative weights on speech of flite's slt, rms, awb and
 * kal16 and of espeak-ng; the fit without any one of them served that one as well, and fits on whole spectra did no
 * better. These cues also take two thirds of d, g and k and a third of n for lips. `bench/closures.py` measures it. */
#ifndef SONIC_DRAFT_SPEECH_BILABIALS_H
#define SONIC_DRAFT_SPEECH_BILABIALS_H

#include "draft/speech/bands.h"

/* Decibels of one cell (15 ms windows) in the bands that the cues compare. */
typedef struct sonic_spectrum {
    float low;    /* 80-400 Hz: voice bar, nasal murmur */
    float first;  /* 400-1080 Hz */
    float dark;   /* 1080-1720 Hz */
    float bright; /* 1720-3150 Hz */
    float middle; /* both */
    float hiss;   /* 3150-7500 Hz */
} sonic_spectrum;

/* spectra [cells] from energies [cells, SONIC_BANDS]. */
void sonic_spectra_measure(sonic_spectrum *spectra, const float *energies, int64_t cells);

/* shut [cells]: 0 .. 1, how surely the lips are closed. */
void sonic_closures_find(float *shut, const sonic_spectrum *spectra, int64_t cells);

/* How far the lips are shut in the middle of a video frame (25 a second): the closures smoothed over 150 ms, in
 * which lips close and part (Loefqvist and Gracco 1997, J Speech Lang Hear Res 40: 877-893), scaled so that 60 ms of
 * closure shut them wholly. */
float sonic_closure_at_frame(const float *shut, int64_t cells, int64_t frame);

#endif
