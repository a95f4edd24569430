/* evidence.h - everything that the gate measures in a picture, in one call on one thread. */
#ifndef SONIC_GATE_EVIDENCE_H
#define SONIC_GATE_EVIDENCE_H

#include "gate/likelihood.h"
#include "gate/plane.h"

/* Sizes outside are refused: nothing can be said of less, and indices stay within 32 bits. */
#define SONIC_EVIDENCE_SIDE_MIN 16
#define SONIC_EVIDENCE_SIDE_MAX 32767
#define SONIC_EVIDENCE_PIXELS_MAX 89478485

/* Every measurement, as a double, with its unit. Qualities are those of standard tables, 0 when nothing was found. */
#define SONIC_EVIDENCE_FIELDS(F)                                                                                                      \
    F(width_px)                                                                                                                       \
    F(height_px)                                                                                                                      \
    F(lattice_quality)      /* the last compression */                                                                                \
    F(lattice_likelihood)   /* its sum of log likelihood ratios; believed above 150 */                                                \
    F(lattice_margin)       /* above the best other position of the grid */                                                          \
    F(lattice_phase)        /* (y & 7) * 8 + (x & 7) */                                                                               \
    F(lattice_sigma)        /* disturbance since, levels */                                                                           \
    F(lattice_turned)       /* 1: rotated by a quarter since */                                                                       \
    F(coarsest_quality)     /* the lowest believed quality of any compression, also under a later one */                              \
    F(coarsest_likelihood)                                                                                                            \
    F(coarsest_phase)                                                                                                                 \
    F(coarsest_sigma)                                                                                                                 \
    F(coarsest_margin)                                                                                                                \
    F(custom_quality)       /* of steps found one by one */                                                                           \
    F(custom_likelihood)                                                                                                              \
    F(custom_modes)         /* of 14 */                                                                                               \
    F(earlier_quality)      /* of an earlier, coarser compression on the grid of the last */                                          \
    F(earlier_likelihood)                                                                                                             \
    F(grid_strength)        /* history.h, nats a block */                                                                             \
    F(grid_second)                                                                                                                    \
    F(grid_noise)                                                                                                                     \
    F(grid_phase)                                                                                                                     \
    F(luma_mean)            /* levels */                                                                                              \
    F(luma_deviation)                                                                                                                 \
    F(dark_share)           /* of pixels <= 2 */                                                                                      \
    F(bright_share)         /* of pixels >= 253 */                                                                                    \
    F(luma_low)             /* first percentile */                                                                                    \
    F(luma_high)            /* 99th */

typedef struct sonic_evidence {
#define SONIC_EVIDENCE_MEMBER(name) double name;
    SONIC_EVIDENCE_FIELDS(SONIC_EVIDENCE_MEMBER)
#undef SONIC_EVIDENCE_MEMBER
} sonic_evidence;

/* Bytes of memory that sonic_evidence_read takes for a picture of this size: 4 a pixel and 3 MB, and some for each column. */
size_t sonic_evidence_memory(int32_t width_px, int32_t height_px);

/* image: 3 channels, RGB. */
sonic_status sonic_evidence_read(sonic_evidence *out, const sonic_likelihood *tables, sonic_image image);

#endif
