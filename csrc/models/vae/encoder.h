/* encoder.h - a picture becomes latents of an eighth of its size. */
#ifndef SONIC_MODELS_VAE_ENCODER_H
#define SONIC_MODELS_VAE_ENCODER_H

#include "models/vae/block.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where an SVD checkpoint keeps its two encoders. The first has the quantising convolution folded into its last layer,
 * the second has it beside it and is what the diffusers library's files are made from; both give the same latents up to
 * rounding. */
#define SONIC_VAE_PREFIX "first_stage_model."
#define SONIC_VAE_CONDITIONER_PREFIX "conditioner.embedders.3.encoder."

/* picture [b, 3, rows, columns] in -1..1, sides multiples of 8 -> mean and logarithm of the variance [b, 4, rows / 8,
 * columns / 8]. `prefix`: one of the two above, before "encoder." and "quant_conv." (which is applied where the file
 * has it). */
void sonic_vae_encode(sonic_tensor **mean, sonic_tensor **log_variance, sonic_scope *outer, sonic_operator_call *call,
                      sonic_tensor *picture, const char *prefix);

#ifdef __cplusplus
}
#endif
#endif
