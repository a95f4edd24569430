/* preview.h - a small picture of latents, without the decoder. */
#ifndef SONIC_SAMPLER_PREVIEW_H
#define SONIC_SAMPLER_PREVIEW_H

#include "sonic.h"

enum { SONIC_LATENT_CHANNELS = 4 };

/* out [rows, columns, 3] from latents [4, rows, columns] as the network sees them, that is times 0.18215. One pixel for
 * each latent: an eighth of the picture's size. Values that are not finite become black. */
void sonic_preview_draw(uint8_t *out, const float *latents, int64_t rows, int64_t columns);

#endif
