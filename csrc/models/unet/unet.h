/* unet.h - the spatio-temporal UNet of Stable Video Diffusion (Blattmann et al., 2023) with Sonic's audio
 * cross-attention (Ji et al., "Sonic: Shifting Focus to Global Audio Perception in Portrait Animation", CVPR 2025).
 * Names as in unet.pth.
 *
 *     sonic_unet *unet;
 *     sonic_unet_constants constants;
 *     sonic_unet_create(&unet, call, "", 64);                    sizes from the shapes of the weights
 *     sonic_unet_prepare(&constants, scope, unet, &conditions);  once per run (unet_constants.h)
 *     y = sonic_unet_run(scope, unet, &constants, &step);        for each step and window
 *     sonic_unet_free(unet);
 *
 * A branch is one choice of conditions for classifier-free guidance: without image and audio, with the image, with
 * both. A call computes some or all of them. Activations are [branches, frames, tokens, channels], tokens in row-major
 * order; images [.., channels, rows, columns] and sequences over frames are views, so spatial and temporal layers
 * alternate without copies. */
#ifndef SONIC_MODELS_UNET_UNET_H
#define SONIC_MODELS_UNET_UNET_H

#include "models/unet/unet_types.h"

/* `prefix` is put before the names in unet.pth, normally "". The handle borrows the weights of `call`. On failure
 * `*out` is NULL: SONIC_ERROR_ARGUMENT for weights of another network, SONIC_ERROR_SHAPE for channels that do not
 * divide into heads of `head_dim` (64 as published). */
sonic_status sonic_unet_create(sonic_unet **out, sonic_operator_call *call, const char *prefix, int64_t head_dim);
void sonic_unet_free(sonic_unet *unet);

/* -> [branches, frames, 4, rows, columns] in the dtype of the weights; NULL with a failed scope. */
sonic_tensor *sonic_unet_run(sonic_scope *outer, const sonic_unet *unet, const sonic_unet_constants *constants,
                             const sonic_unet_step *step);

#endif
