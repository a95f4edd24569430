/* chroma.h - how the chroma of a picture that was a JPEG was stored, found in its pixels: how many pixels a sample had,
 * where its blocks lie.
 *
 * Decoders enlarge halved chroma with straight lines, (1, 3) / 4 and (3, 1) / 4, or repeat it. The mean of two pixels
 * is then the sample, or the samples filtered with (1, 6, 1) / 8, whose inverse falls by 0.17 a sample and is cut after
 * four. */
#ifndef SONIC_REPAIR_CHROMA_H
#define SONIC_REPAIR_CHROMA_H

#include "repair/quant_fit.h"

typedef struct sonic_chroma {
    sonic_repair_grid grid;         /* of the samples */
    int32_t across, down;           /* pixels a sample: 1 or 2; 0 when nothing is certain */
    int32_t smooth;                 /* 1: enlarged with straight lines; 0: repeated */
    int32_t first_x_px, first_y_px; /* 0 or 1: of the first whole sample */
    double fit;                     /* sonic_quant_fit_mean of both planes */
} sonic_chroma;

/* blue, red: Cb and Cr of the picture, around 0. luma: the grid of its luma; steps: [64] of chroma. Looks at the middle
 * of large pictures. scratch: SONIC_CHROMA_FIND_SCRATCH bytes. */
#define SONIC_CHROMA_FIND_SCRATCH (3 * 640 * 640 * sizeof(float))
void sonic_chroma_find(sonic_chroma *out, const sonic_plane *blue, const sonic_plane *red,
                       const sonic_repair_grid *luma, const float steps[64], float *scratch);

/* The samples of one plane: their number is written to `out`, whose memory holds as much as that of `in`, as work does.
 */
void sonic_chroma_sample(sonic_plane *out, const sonic_plane *in, const sonic_chroma *chroma, float *work);

#endif
