/* encoder.h - from an image to latents of an eighth of its size: the encoder of Stable Diffusion's autoencoder (Rombach
 * et al. 2022). Names as in Stability's checkpoint. */
#ifndef SONIC_MODELS_VAE_ENCODER_H
#define SONIC_MODELS_VAE_ENCODER_H

#include "models/vae/block.h"

/* The two encoders of an SVD checkpoint. The first has the quantising convolution folded into its last layer; the
 * second keeps it separate, and the diffusers library's files are made from it. Both give the same latents up to
 * rounding. */
#define SONIC_VAE_PREFIX "first_stage_model."
#define SONIC_VAE_CONDITIONER_PREFIX "conditioner.embedders.3.encoder."

/* image [b, 3, rows, columns] in -1..1, sides multiples of 8 -> mean and log variance [b, 4, rows / 8, columns / 8],
 * not scaled. `prefix`: one of the two above, before "encoder." and "quant_conv.", which is applied where the file has
 * it. SONIC_ERROR_SHAPE for images of another shape; then both are NULL. */
void sonic_vae_encode(sonic_tensor **mean, sonic_tensor **log_variance, sonic_scope *outer, sonic_operator_call *call,
                      sonic_tensor *image, const char *prefix);

#endif
