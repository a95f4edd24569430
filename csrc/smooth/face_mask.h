/* face_mask.h - where the noise filter must not blur: lips and eyes at all, the face and its surroundings little. */
#ifndef SONIC_SMOOTH_FACE_MASK_H
#define SONIC_SMOOTH_FACE_MASK_H

#include "face/landmarks.h"
#include "sonic.h"

/* Mask [height, width] of faces with meshes [count, 468, 3] in pixels: 255 on lips and eyes, with a margin for their
 * movement; 128 on the rest of the face; 64 around it; 0 elsewhere. */
void sonic_smooth_mask_draw(uint8_t *mask, int32_t width, int32_t height, const float *meshes, int32_t count);

/* Blends `cleaned` back towards `frame`, both [height, width, 3], by the mask: completely on lips and eyes; on and
 * around the face as much as keeps its Laplacian energy at 1 - max_loss of the frame's or above. */
void sonic_smooth_mask_apply(float *cleaned, const float *frame, const uint8_t *mask, int32_t width, int32_t height,
                             double max_loss);

#endif
