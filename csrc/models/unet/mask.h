/* mask.h - the face mask at the resolutions of the UNet's levels. */
#ifndef SONIC_MODELS_UNET_MASK_H
#define SONIC_MODELS_UNET_MASK_H

#include "sonic.h"

/* Bicubic without antialiasing (Keys, 1981, A = -0.75), half-pixel centres, border pixels repeated, result not clamped:
 * what torch.nn.functional.interpolate(mode="bicubic") computes. mask [mask_rows, mask_columns] -> out [rows, columns],
 * all sides 1 or more. */
void sonic_mask_resample(float *out, int64_t rows, int64_t columns, const float *mask, int64_t mask_rows,
                         int64_t mask_columns);

/* The smallest {first row, rows, first column, columns} outside which the mask is exactly 0; all zeros when the whole
 * mask is 0. */
void sonic_mask_bounds(int64_t rectangle[4], const float *mask, int64_t rows, int64_t columns);

#endif
