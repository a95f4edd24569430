/* sharpness.h - how fast the power spectrum falls: blur, motion and low resolution remove high frequencies.
 *
 * Natural images have power spectra near 1 / f^2 (D. Field, JOSA A 4(12), 1987). Spectra are those of 32 x 32 blocks
 * under a Hann window, so that a part of the image, such as a face, can be judged by itself. The noise, measured in the
 * calmest blocks, is subtracted. */
#ifndef SONIC_GATE_SHARPNESS_H
#define SONIC_GATE_SHARPNESS_H

#include "core/plane.h"
#include "gate/fourier.h"

#define SONIC_SHARPNESS_BANDS 8
#define SONIC_SHARPNESS_SECTORS 4

/* Lower ends of the bands, cycles a pixel; the last band ends at 0.707, the corner. */
extern const float sonic_sharpness_edge[SONIC_SHARPNESS_BANDS];

typedef struct sonic_sharpness {
    double band[SONIC_SHARPNESS_BANDS]; /* log10 of the mean power density in each band */
    /* Log10 of high (0.22..0.42) over low (0.05..0.11) density around 0, 45, 90, 135 degrees */
    double sector[SONIC_SHARPNESS_SECTORS];
    /* Quantiles, over blocks with contrast, of log10 of (0.2..0.4) over (0.05..0.13) density */
    double ratio_50, ratio_90;
    double noise;  /* standard deviation, levels */
    double blocks; /* number of blocks with contrast */
} sonic_sharpness;

/* A rectangle in pixels; empty when x1 <= x0. */
typedef struct sonic_box {
    int32_t x0, y0, x1, y1;
} sonic_box;

/* Bytes of scratch memory. */
size_t sonic_sharpness_scratch_size(int32_t width_px, int32_t height_px);

/* whole: of the image. part: of the blocks whose middle lies in the ellipse in `box`; 0 when there are none. */
void sonic_sharpness_measure(sonic_sharpness *whole, sonic_sharpness *part, const sonic_plane *luma, sonic_box box,
                             void *scratch);

#endif
