/* level.h - how loud this speaker is, and how loud the room: what "silent" and "loud" mean in this recording. */
#ifndef SONIC_DRAFT_SPEECH_LEVEL_H
#define SONIC_DRAFT_SPEECH_LEVEL_H

#include "draft/speech/bands.h"

/* Scales energies [cells, SONIC_BANDS] so that the loudest cell has 1: from there on all is relative to the recording.
 * What stays under -70 dB of full scale throughout is not heard as speech and becomes silence. */
void sonic_level_normalise(float *energies, int64_t cells);

/* Takes the steady background out of energies [cells, SONIC_BANDS]: in each band 1.5 times the energy that nine tenths
 * of all stretches of 100 ms exceed (power spectral subtraction, Boll 1979, IEEE Trans. ASSP 27: 113-120; the noise
 * from a low percentile, Stahl et al. 2000, ICASSP). */
void sonic_level_subtract_noise(float *energies, int64_t cells);

typedef struct sonic_level {
    float floor; /* amplitude of the background: the 10th percentile of what is not digital silence */
    /* Amplitude of loud speech: the 90th percentile of what stands out of the background; 0 when nothing does */
    float voice;
    float presence; /* 0 .. 1: how sure it is that something speaks, from the distance of the two */
} sonic_level;

/* Level of amplitudes [cells] (5 ms each). */
sonic_level sonic_level_measure(const float *amplitudes, int64_t cells);

/* Seconds covered by one entry of the local level. */
#define SONIC_LEVEL_BLOCK_CELLS 200
int64_t sonic_level_blocks(int64_t cells);

/* local and scratch [sonic_level_blocks(cells)]; local: `level.voice`, followed 0.6 of the way (in decibels) to what
 * the voice does within some seconds, so that a quiet passage still moves the mouth and a loud one does not tear it
 * open. */
void sonic_level_follow(float *local, float *scratch, const float *amplitudes, int64_t cells, sonic_level level);

/* The local level at a cell, between the middles of the blocks. */
float sonic_level_at(const float *local, int64_t blocks, int64_t cell);

#endif
