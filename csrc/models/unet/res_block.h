/* res_block.h - the spatio-temporal res block (Blattmann et al., 2023): a 2-D res block in each frame, a res block over
 * frames, and their blend. */
#ifndef SONIC_MODELS_UNET_RES_BLOCK_H
#define SONIC_MODELS_UNET_RES_BLOCK_H

#include "models/unet/unet_internal.h"

/* x [branches, frames, tokens, in] -> a new [branches, frames, tokens, out]; x is only read. epsilon: of group
 * normalisation. */
sonic_tensor *sonic_unet_res_block(sonic_scope *outer, sonic_unet_pass *pass, const sonic_network *network,
                                   sonic_tensor *x, double epsilon);

#endif
