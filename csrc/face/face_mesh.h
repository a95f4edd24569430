/* face_mesh.h - MediaPipe's face mesh of 468 points (Kartynnik et al. 2019, arXiv:1907.06724).
 *
 *   input     [batch, 3, 192, 192]  RGB, 0..1; the face upright, filling about two thirds of the square
 *   stem      conv 3x3 stride 2, PReLU                             -> [16, 96, 96]
 *   block.N   16 16 | 32 32 32 | 64 64 64 | 128 128 128 | 128 128 128; stride 2 at each bar: sides 96, 48, 24, 12, 6
 *   points    blocks 128 128 128 at 3x3, 1x1 to 32, one block of 32, conv 3x3 without padding -> 1404 = 468 * (x, y, z)
 *   presence  block 128 at 3x3, 1x1 to 32, one block of 32, conv 3x3 without padding -> 1 logit
 *
 * Points are in input pixels, numbered as in landmarks.h; z, on the same scale, grows away from the camera. */
#ifndef SONIC_FACE_FACE_MESH_H
#define SONIC_FACE_FACE_MESH_H

#include "face/landmarks.h"
#include "torch/operators.h"

#define SONIC_MESH_SIDE_PX 192

/* points [batch, 1404], presence [batch, 1] (logit). Weights are named mesh.stem, mesh.block.N, mesh.points.*,
 * mesh.presence.*. */
void sonic_face_mesh_run(sonic_tensor **points, sonic_tensor **presence, sonic_scope *scope,
                         sonic_operator_call *weights, sonic_tensor *x);

#endif
