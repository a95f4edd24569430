/* audio_attention.h - attn2: cross-attention to the image token and to the audio tokens, with the same queries
 * (Ji et al., "Sonic", CVPR 2025). */
#ifndef SONIC_MODELS_UNET_AUDIO_ATTENTION_H
#define SONIC_MODELS_UNET_AUDIO_ATTENTION_H

#include "models/unet/unet_internal.h"

/* Fills pass->audio and pass->audio_mean with the window's tokens, on the device and in the dtype of `like`. */
void sonic_unet_gather_audio(sonic_scope *scope, sonic_unet_pass *pass, sonic_tensor *like);

/* Both add to x [branches, frames, tokens, channels] in place; `block` holds norm2 and attn2. Spatial: each frame
 * attends to its own audio tokens, weighted by the face mask. Temporal: every token attends to the window's mean
 * tokens, and `bias`, which may be NULL, is added to x first. */
void sonic_unet_spatial_audio_attention(sonic_scope *outer, const sonic_unet_pass *pass,
                                        const sonic_unet_attention *layer, const sonic_network *block, sonic_tensor *x);
void sonic_unet_temporal_audio_attention(sonic_scope *outer, const sonic_unet_pass *pass,
                                         const sonic_unet_attention *layer, const sonic_network *block, sonic_tensor *x,
                                         sonic_tensor *bias);

#endif
