/* unet_views.h - views of activations [branches, frames, tokens, channels] (contiguous), their group normalisation, and
 * probes of what a layer adds to them. */
#ifndef SONIC_MODELS_UNET_UNET_VIEWS_H
#define SONIC_MODELS_UNET_UNET_VIEWS_H

#include "models/unet/unet_internal.h"

/* x [..., channels] -> [all tokens, channels] */
sonic_tensor *sonic_unet_rows(sonic_scope *scope, sonic_tensor *x);
/* x -> [branches frames, channels, rows, columns] */
sonic_tensor *sonic_unet_images(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x);
/* x -> [branches, channels, frames, tokens] */
sonic_tensor *sonic_unet_videos(sonic_scope *scope, sonic_tensor *x);

/* Back to [branches, frames, tokens, channels], from images or videos of any memory layout; x is taken. */
sonic_tensor *sonic_unet_from_images(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x);
sonic_tensor *sonic_unet_from_videos(sonic_scope *scope, sonic_tensor *x);

/* Group normalisation with 32 groups into a new tensor; statistics over one frame, or over all frames of a branch. */
sonic_tensor *sonic_unet_norm_frames(sonic_scope *scope, const sonic_network *network, const char *name,
                                     sonic_tensor *x, double epsilon);
/* The same, then SiLU. `before`: [channels] added to x first, or NULL. */
sonic_tensor *sonic_unet_norm_frames_silu(sonic_scope *scope, const sonic_network *network, const char *name,
                                          sonic_tensor *x, sonic_tensor *before, double epsilon);
sonic_tensor *sonic_unet_norm_video_silu(sonic_scope *scope, const sonic_network *network, const char *name,
                                         sonic_tensor *x, sonic_tensor *before, double epsilon);

/* x += before, which may be NULL, and the layer normalisation of the sum over the channels. x is not taken. */
sonic_tensor *sonic_unet_norm_rows(sonic_scope *scope, const sonic_network *block, const char *name, sonic_tensor *x,
                                   sonic_tensor *before);

/* Whether the call asks for outputs of layers (sonic_operator_probe). */
bool sonic_unet_is_probed(const sonic_network *network);
/* A copy of x while the call is probed, else NULL. */
sonic_tensor *sonic_unet_probe_before(sonic_scope *scope, const sonic_network *network, sonic_tensor *x);
/* Probes x - before as the output of `layer`: [branches frames, tokens, channels], or if temporal [branches tokens,
 * frames, channels]. Nothing where `before` is NULL. */
void sonic_unet_probe_added(sonic_scope *scope, const sonic_network *layer, sonic_tensor *x, sonic_tensor *before,
                            bool temporal);

#endif
