/* mask.h - the face mask at the resolutions of the network's layers. */
#ifndef SONIC_MODELS_UNET_MASK_H
#define SONIC_MODELS_UNET_MASK_H

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bicubic without antialiasing (Keys, 1981, A = -0.75), half-pixel centres, border pixels repeated, result not clamped:
 * what torch.nn.functional.interpolate(mode="bicubic") computes. mask [mask_rows, mask_columns] -> out [rows, columns].
 */
void sonic_mask_resample(float *out, int64_t rows, int64_t columns, const float *mask, int64_t mask_rows,
                         int64_t mask_columns);

/* The smallest rectangle {first row, rows, first column, columns} outside which the mask is exactly 0; all 0 for an
 * empty mask. */
void sonic_mask_bounds(int64_t rectangle[4], const float *mask, int64_t rows, int64_t columns);

#ifdef __cplusplus
}
#endif
#endif
