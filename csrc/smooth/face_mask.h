/* face_mask.h - what the noise filter must leave alone: lips and eyes wholly, the detail of the face nearly. */
#ifndef SONIC_SMOOTH_FACE_MASK_H
#define SONIC_SMOOTH_FACE_MASK_H

#include "face/landmarks.h"
#include "sonic.h"

/* Mask [height, width] of faces given by their meshes [count, 468, 3] in pixels: 255 where the picture stays as it is
 * (lips, eyes, with a margin for their movement), 128 in the rest of the face, 64 around it, 0 elsewhere. */
void sonic_guard_draw(uint8_t *mask, int32_t width, int32_t height, const float *meshes, int32_t count);

/* Brings `cleaned` back towards `frame`, both [height, width, 3], as the mask says: lips and eyes wholly, the face and
 * what is around it by as much as keeps the face's Laplacian energy at 1 - loss of the frame's. */
void sonic_guard_apply(float *cleaned, const float *frame, const uint8_t *mask, int32_t width, int32_t height,
                       double loss);

#endif
