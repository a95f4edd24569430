/* bands.h - speech as energies in 16 bands every 5 ms: the only input of level.h, mouth_pose.h and bilabials.h.
 *
 * The bands follow Zwicker's critical bands (Zwicker 1961, JASA 33: 248), the highest merged in pairs. */
#ifndef SONIC_DRAFT_SPEECH_BANDS_H
#define SONIC_DRAFT_SPEECH_BANDS_H

#include "draft/pose.h"
#include "sonic.h"

#define SONIC_BANDS 16
#define SONIC_BANDS_RATE_HZ 16000
#define SONIC_BANDS_HOP_SAMPLES 80 /* 5 ms */
#define SONIC_BANDS_HOPS_PER_FRAME (SONIC_BANDS_RATE_HZ / SONIC_BANDS_HOP_SAMPLES / SONIC_POSE_FPS)

/* Band b reaches from edge b to edge b + 1, in hertz. */
extern const float sonic_bands_edges_hz[SONIC_BANDS + 1];

/* energies [hops, SONIC_BANDS]: mean square per hop and band of samples [count], mono at SONIC_BANDS_RATE_HZ; samples
 * past `count` are zeros. Each band is a fourth-order Linkwitz-Riley high-pass and low-pass pair, scaled to gain 1 at
 * the band's centre; its delay (some ms) is not corrected. Reports progress in hops; SONIC_ERROR_CANCELLED. */
sonic_status sonic_bands_measure(float *energies, int64_t hops, const float *samples, int64_t count);

#endif
