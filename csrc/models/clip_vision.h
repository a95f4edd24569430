/* clip_vision.h - the image encoder of CLIP ViT-H/14 (Dosovitskiy et al. 2021; Radford et al. 2021; weights: OpenCLIP,
 * LAION-2B). Two naming schemes: open_clip's, as in Stable Video Diffusion's checkpoint, and that of the transformers
 * library. */
#ifndef SONIC_MODELS_CLIP_VISION_H
#define SONIC_MODELS_CLIP_VISION_H

#include "models/layers.h"

#define SONIC_CLIP_VISION_HEADS 16 /* of ViT-H/14 */

/* pixels [batch, 3, side, side], normalised by CLIP's mean and deviation -> image embeddings [batch, projection], not
 * scaled to unit length. SONIC_ERROR_SHAPE when `side` is not that of the position embeddings (224 as published).
 * Layers for sonic_operator_probe: hidden_0 (after the first layer norm), hidden_1, ..., hidden_last. */
sonic_tensor *sonic_clip_vision_embed(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *pixels,
                                      int64_t heads);

#endif
