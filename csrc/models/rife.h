/* rife.h - the frame between two frames: IFNet of RIFE, version HDv3 (Huang et al., "Real-Time Intermediate Flow
 * Estimation for Video Frame Interpolation", 2022). Weights as in flownet.pkl, with or without "module." before their
 * names. */
#ifndef SONIC_MODELS_RIFE_H
#define SONIC_MODELS_RIFE_H

#include "models/layers.h"

/* frames [b, 3, rows, columns] in 0..1, sides multiples of 16 -> the frames halfway between them, in 0..1, float32.
 * Flow and warping are float32 whatever the weights are: in fp16 a position in a picture of 512 pixels is a quarter of
 * a pixel off. Layers for sonic_operator_probe: flow0 ... flow2 [b, 4, ...], merged0, merged1 (before clamping), mask
 * (after the sigmoid). */
sonic_tensor *sonic_rife_between(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *before,
                                 sonic_tensor *after);

#endif
