/* preview.h - a small RGB preview of latents, without the decoder. */
#ifndef SONIC_SAMPLER_PREVIEW_H
#define SONIC_SAMPLER_PREVIEW_H

#include "sonic.h"

enum { SONIC_LATENT_CHANNELS = 4 };

/* latents [4, rows, columns], scaled by 0.18215 -> out [rows, columns, 3]: one pixel for each latent, an eighth of the
 * frame's size. NaN becomes black. */
void sonic_preview_draw(uint8_t *out, const float *latents, int64_t rows, int64_t columns);

#endif
