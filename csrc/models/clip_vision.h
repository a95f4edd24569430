/* clip_vision.h - the picture's side of CLIP ViT-H/14 (Dosovitskiy et al. 2021; Radford et al. 2021; weights: OpenCLIP,
 * laion2B). Two layouts of names: open_clip's as in Stable Video Diffusion's checkpoint, and those of the transformers
 * library. */
#ifndef SONIC_MODELS_CLIP_VISION_H
#define SONIC_MODELS_CLIP_VISION_H

#include "models/layers.h"

#define SONIC_CLIP_VISION_HEADS 16

/* pixels [batch, 3, side, side], normalised -> image embeddings [batch, projection], not scaled to unit length.
 * Layers for sonic_operator_probe: hidden_0 (after the first normalisation), hidden_1, ..., hidden_last. */
sonic_tensor *sonic_clip_vision_embed(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *pixels,
                                      int64_t heads);

#endif
