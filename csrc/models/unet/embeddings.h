/* embeddings.h - sinusoidal embeddings (Vaswani et al., 2017; cosines first, as in Ho et al., 2020), each with its
 * small network. All in float32 on the device of the weights, whatever their dtype. */
#ifndef SONIC_MODELS_UNET_EMBEDDINGS_H
#define SONIC_MODELS_UNET_EMBEDDINGS_H

#include "models/unet/unet_types.h"

/* time_embedding(timestep) + add_embedding(ids): [1, embedding]. `unet`: the whole network. */
sonic_tensor *sonic_unet_embed_step(sonic_scope *outer, const sonic_network *unet, double timestep,
                                    const double ids[SONIC_UNET_IDS]);

/* time_pos_embed of the positions 0 .. frames - 1 of a window: [frames, channels]. frames <= SONIC_UNET_FRAMES_MAX */
sonic_tensor *sonic_unet_embed_positions(sonic_scope *outer, const sonic_network *attention, int64_t frames);

#endif
