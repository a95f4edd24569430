/* spectrum.h - power spectra of 400-sample frames, several frames at once.
 *
 * Arrays are [sample or bin][lane]: every arithmetic step is a loop over the lanes, which compilers vectorise. A real
 * transform of 400 samples is a complex one of 200 (even samples are
 * the real, odd ones the imaginary part), computed as 4 x 2 x 5 x 5 in Stockham's order (C. Van Loan, "Computational
 * Frameworks for the Fast Fourier Transform", 1992, sections 1.7 and 4.3). */
#ifndef SONIC_AUDIO_SPECTRUM_H
#define SONIC_AUDIO_SPECTRUM_H

#include "sonic.h"

#define SONIC_SPECTRUM_SAMPLES 400
#define SONIC_SPECTRUM_LANES 8

typedef struct sonic_complex {
    float re, im;
} sonic_complex;

/* Window and twiddle factors; filled once per call of the code that uses them. */
typedef struct sonic_spectrum_tables {
    float window[SONIC_SPECTRUM_SAMPLES];                /* periodic Hann: 0.5 - 0.5 cos(2 pi i / 400) */
    sonic_complex twiddle[SONIC_SPECTRUM_SAMPLES / 2];   /* exp(-2 pi i k / 200) */
    sonic_complex split[SONIC_SPECTRUM_SAMPLES / 4 + 1]; /* exp(-2 pi i k / 400) */
} sonic_spectrum_tables;

void sonic_spectrum_init(sonic_spectrum_tables *tables);

/* power: [201][lanes] = |FFT(window * frames)|^2; frames is overwritten. */
void sonic_spectrum_power(float power[SONIC_SPECTRUM_SAMPLES / 2 + 1][SONIC_SPECTRUM_LANES],
                          const sonic_spectrum_tables *tables,
                          float frames[SONIC_SPECTRUM_SAMPLES][SONIC_SPECTRUM_LANES]);

#endif
