/* rife.h - frame interpolation: IFNet of RIFE, version HDv3 (Huang et al., "Real-Time Intermediate Flow Estimation for
 * Video Frame Interpolation", 2022). Names as in flownet.pkl, with or without "module.". */
#ifndef SONIC_MODELS_RIFE_H
#define SONIC_MODELS_RIFE_H

#include "models/layers.h"

/* before, after [b, 3, rows, columns] in 0..1, sides multiples of 16 -> the frames halfway between them, in 0..1,
 * float32. Flow and warping are float32 whatever the dtype of the weights: fp16 positions in an image of 512 pixels are
 * up to a quarter of a pixel off. SONIC_ERROR_SHAPE for frames of other or different shapes. Layers for
 * sonic_operator_probe: flow0 ... flow2 [b, 4, rows, columns], merged0, merged1 (before clamping), mask (after the
 * sigmoid). */
sonic_tensor *sonic_rife_between(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *before,
                                 sonic_tensor *after);

#endif
