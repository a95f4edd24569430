/* chroma.h - the chroma subsampling and block grid that a decoded JPEG had, found in its pixels.
 *
 * Decoders upsample halved chroma linearly, with (1, 3) / 4 and (3, 1) / 4, or by repetition. The mean of two pixels is
 * then the sample filtered with (1, 6, 1) / 8, or the sample itself. The inverse of that filter falls by a factor of
 * 0.17 a sample and is truncated after four. */
#ifndef SONIC_REPAIR_CHROMA_H
#define SONIC_REPAIR_CHROMA_H

#include "repair/quant_fit.h"

typedef struct sonic_chroma {
    sonic_repair_grid grid;         /* in samples */
    int32_t across, down;           /* pixels a sample: 1 or 2; 0 when no grid fits */
    int32_t smooth;                 /* 1: linear upsampling; 0: repetition */
    int32_t first_x_px, first_y_px; /* of the first whole sample, 0 or 1 */
    double fit;                     /* sonic_quant_fit_mean of both planes */
} sonic_chroma;

/* blue, red: Cb and Cr around 0. luma: the luma grid. steps: [64] of chroma. Reads the middle of large images. scratch:
 * SONIC_CHROMA_FIND_SCRATCH bytes. */
#define SONIC_CHROMA_FIND_SCRATCH (3 * 640 * 640 * sizeof(float))
void sonic_chroma_find(sonic_chroma *out, const sonic_plane *blue, const sonic_plane *red,
                       const sonic_repair_grid *luma, const float steps[64], float *scratch);

/* Samples one plane. The size is written to `out`; its memory and `work` are as large as `in`. */
void sonic_chroma_sample(sonic_plane *out, const sonic_plane *in, const sonic_chroma *chroma, float *work);

#endif
