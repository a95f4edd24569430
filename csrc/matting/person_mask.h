/* person_mask.h - MediaPipe's selfie segmentation: which pixels show a person near the camera (model "general", model
 * card "MediaPipe Selfie Segmentation", 2021; a MobileNetV3, arXiv:1905.02244, with a decoder).
 *
 *   input    [batch, 3, 256, 256]  RGB, 0..1, the whole picture stretched to a square
 *   stem     conv 3x3 stride 2, hard swish                                                       -> [16, 128, 128]
 *   blocks   expand 1x1, depthwise, squeeze and excite, project 1x1, plus the input at stride 1
 *            0: 16 at 64x64; 1-2: 24 at 32x32 (no squeeze); 3-7: 32 at 16x16 (5x5, hard swish)
 *   context  relu(1x1) times the sigmoid of a 1x1 on the mean over the picture                   -> [128, 16, 16]
 *   up 0-2   doubled (bilinear), 1x1, joined with the map of that size by squeeze and excite      -> [16, 128, 128]
 *   out      transposed convolution 2x2 at stride 2, sigmoid
 *   output   [batch, 1, 256, 256]  0..1, near 1 on a person */
#ifndef SONIC_MATTING_PERSON_MASK_H
#define SONIC_MATTING_PERSON_MASK_H

#include "torch/operators.h"

/* Weights are named stem, block.N.{expand,depthwise,squeeze,excite,project}, context.{value,gate},
 * up.N.{reduce,squeeze,excite,mix,refine}, out. NULL when it fails. */
sonic_tensor *sonic_person_mask_run(sonic_scope *scope, sonic_operator_call *weights, sonic_tensor *x);

#endif
