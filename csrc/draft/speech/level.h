/* level.h - loudness of the speaker and of the background: the scale of "silent" and "loud" in one recording. */
#ifndef SONIC_DRAFT_SPEECH_LEVEL_H
#define SONIC_DRAFT_SPEECH_LEVEL_H

#include "draft/speech/bands.h"

/* Scales energies [hops, SONIC_BANDS] so that the loudest hop has total energy 1. A recording that stays below -70 dB
 * of full scale throughout becomes silence. */
void sonic_level_normalise(float *energies, int64_t hops);

/* Subtracts the stationary background from energies [hops, SONIC_BANDS]: in each band 1.5 times the 10th percentile of
 * the mean energy over 100 ms (power spectral subtraction, Boll 1979, IEEE Trans. ASSP 27: 113-120; the noise from a
 * low percentile, Stahl et al. 2000, ICASSP). */
void sonic_level_subtract_noise(float *energies, int64_t hops);

typedef struct sonic_level {
    float floor;    /* amplitude of the background: 10th percentile of all hops but digital silence */
    float voice;    /* amplitude of loud speech: 90th percentile of the hops above the background; 0 without any */
    float presence; /* confidence that there is speech, 0 .. 1, from the ratio of the two */
} sonic_level;

/* Level of amplitudes [hops] (5 ms each). */
sonic_level sonic_level_measure(const float *amplitudes, int64_t hops);

#define SONIC_LEVEL_BLOCK_HOPS 200 /* one entry of the local level: 1 s */
int64_t sonic_level_blocks(int64_t hops);

/* local and scratch [sonic_level_blocks(hops)]. local: `level.voice`, moved by 0.6 (in decibels) towards the level of
 * the surrounding seconds, so that a quiet passage still moves the mouth and a loud one does not open it too wide. */
void sonic_level_follow(float *local, float *scratch, const float *amplitudes, int64_t hops, sonic_level level);

/* The local level at a hop, interpolated between the centres of the blocks. */
float sonic_level_at(const float *local, int64_t blocks, int64_t hop);

#endif
