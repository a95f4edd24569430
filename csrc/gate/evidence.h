/* evidence.h - everything that the gate measures in a picture, in one call on one thread. */
#ifndef SONIC_GATE_EVIDENCE_H
#define SONIC_GATE_EVIDENCE_H

#include "gate/likelihood.h"
#include "core/plane.h"
#include "gate/sharpness.h"

/* Sizes outside are refused: nothing can be said of less, and indices stay within 32 bits. */
#define SONIC_EVIDENCE_SIDE_MIN 16
#define SONIC_EVIDENCE_SIDE_MAX 32767
#define SONIC_EVIDENCE_PIXELS_MAX 89478485

/* Every measurement, as a double, with its unit. Qualities are those of standard tables, 0 when nothing was found. */
#define SONIC_EVIDENCE_FIELDS(F)                                                                                       \
    F(width_px)                                                                                                        \
    F(height_px)                                                                                                       \
    F(lattice_quality)    /* the last compression */                                                                   \
    F(lattice_likelihood) /* its sum of log likelihood ratios; believed above 150 */                                   \
    F(lattice_margin)     /* above the best other position of the grid */                                              \
    F(lattice_phase)      /* (y & 7) * 8 + (x & 7) */                                                                  \
    F(lattice_sigma)      /* disturbance since, levels */                                                              \
    F(lattice_turned)     /* 1: rotated by a quarter since */                                                          \
    F(coarsest_quality)   /* the lowest believed quality of any compression, also under a later one */                 \
    F(coarsest_likelihood)                                                                                             \
    F(coarsest_phase)                                                                                                  \
    F(coarsest_sigma)                                                                                                  \
    F(coarsest_margin)                                                                                                 \
    F(custom_quality) /* of steps found one by one */                                                                  \
    F(custom_likelihood)                                                                                               \
    F(custom_phase)                                                                                                    \
    F(custom_modes)    /* of 14 */                                                                                     \
    F(earlier_quality) /* of an earlier, coarser compression on the grid of the last */                                \
    F(earlier_likelihood)                                                                                              \
    F(grid_strength) /* grid.h, nats a block: the position of the grid that differs from the others */                 \
    F(grid_second)                                                                                                     \
    F(grid_chance)                                                                                                     \
    F(grid_quality) /* of the dead zones */                                                                            \
    F(grid_emptied)                                                                                                    \
    F(grid_phase)                                                                                                      \
    F(comb_eight) /* comb.h */                                                                                         \
    F(comb_other)                                                                                                      \
    F(comb_contrast)                                                                                                   \
    F(comb_period_px)                                                                                                  \
    F(resized_period_px)                                                                                               \
    F(resized_strength) /* grid.h, with the blocks brought back to 8 pixels; 0 where no period was found */            \
    F(resized_second)                                                                                                  \
    F(resized_chance)                                                                                                  \
    F(resized_quality)                                                                                                 \
    F(resized_emptied)                                                                                                 \
    F(resized_custom_quality) /* history.h at that scale */                                                            \
    F(resized_custom_likelihood)                                                                                       \
    F(resized_custom_modes)                                                                                            \
    F(region_quality) /* cells.h: the coarsest part with a grid of its own */                                          \
    F(region_likelihood)                                                                                               \
    F(region_share)                                                                                                    \
    F(repeated_share) /* luma.h */                                                                                     \
    F(noise)          /* standard deviation in the calmest parts, levels */                                            \
    F(band_0)         /* sharpness.h, the whole picture */                                                             \
    F(band_1)                                                                                                          \
    F(band_2)                                                                                                          \
    F(band_3)                                                                                                          \
    F(band_4)                                                                                                          \
    F(band_5)                                                                                                          \
    F(band_6)                                                                                                          \
    F(band_7)                                                                                                          \
    F(sector_0)                                                                                                        \
    F(sector_1)                                                                                                        \
    F(sector_2)                                                                                                        \
    F(sector_3)                                                                                                        \
    F(sharp_50)                                                                                                        \
    F(sharp_90)                                                                                                        \
    F(sharp_blocks)                                                                                                    \
    F(face_band_0) /* the same in the face box; 0 without one */                                                       \
    F(face_band_1)                                                                                                     \
    F(face_band_2)                                                                                                     \
    F(face_band_3)                                                                                                     \
    F(face_band_4)                                                                                                     \
    F(face_band_5)                                                                                                     \
    F(face_band_6)                                                                                                     \
    F(face_band_7)                                                                                                     \
    F(face_sector_0)                                                                                                   \
    F(face_sector_1)                                                                                                   \
    F(face_sector_2)                                                                                                   \
    F(face_sector_3)                                                                                                   \
    F(face_sharp_50)                                                                                                   \
    F(face_sharp_90)                                                                                                   \
    F(face_sharp_blocks)                                                                                               \
    F(luma_mean) /* levels */                                                                                          \
    F(luma_deviation)                                                                                                  \
    F(dark_share)   /* of pixels <= 2 */                                                                               \
    F(bright_share) /* of pixels >= 253 */                                                                             \
    F(luma_low)     /* first percentile */                                                                             \
    F(luma_high)    /* 99th */

typedef struct sonic_evidence {
#define SONIC_EVIDENCE_MEMBER(name) double name;
    SONIC_EVIDENCE_FIELDS(SONIC_EVIDENCE_MEMBER)
#undef SONIC_EVIDENCE_MEMBER
} sonic_evidence;

/* Bytes of memory that sonic_evidence_read takes for a picture of this size: 4 a pixel, 5 MB, and some for each column.
 */
size_t sonic_evidence_memory(int32_t width_px, int32_t height_px);

/* image: 3 channels, RGB. face: empty when there is none. heat: [height / 32][width / 32] as in cells.h, or NULL. */
sonic_status sonic_evidence_read(sonic_evidence *out, const sonic_likelihood *tables, sonic_image image, sonic_box face,
                                 uint8_t *heat);

#endif
