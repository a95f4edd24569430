/* bands.h - speech as energies in 16 bands per 5 ms, the only thing that the rest of the voice looks at.
 * The bands follow Zwicker's critical bands (Zwicker 1961, JASA 33: 248), joined in pairs at the top. */
#ifndef SONIC_DRAFT_SPEECH_BANDS_H
#define SONIC_DRAFT_SPEECH_BANDS_H

#include "sonic.h"

#define SONIC_BANDS 16
#define SONIC_CELL_SAMPLES 80 /* 5 ms at 16 kHz */
#define SONIC_CELLS_PER_FRAME 8

/* Band b reaches from edge b to edge b + 1, in hertz. */
extern const float sonic_bands_edges_hz[SONIC_BANDS + 1];

/* energies [cells, SONIC_BANDS], mean square per cell and band; samples past `count` are zeros. Each band is a
 * fourth-order Linkwitz-Riley high-pass and low-pass pair, scaled to gain 1 at the band's centre; its delay (some ms)
 * is not corrected. */
void sonic_bands_measure(float *energies, int64_t cells, const float *samples, int64_t count);

#endif
