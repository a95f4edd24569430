/* find.h - the faces in an image: detector, upright crop, mesh, then the mesh on its own crop until it converges, and
 * once upside down, in case the detector took the chin for the forehead. */
#ifndef SONIC_FACE_FIND_H
#define SONIC_FACE_FIND_H

#include "face/blazeface.h"
#include "face/face_mesh.h"

/* The longest side of an image (OpenCV's warps address pixels with 16 bits). */
#define SONIC_IMAGE_SIDE_MAX_PX 32767

#define SONIC_FACES_MAX 16

typedef struct sonic_face {
    float score;    /* the detector's, 0..1 */
    float presence; /* the mesh network's probability of a face, 0..1; at least 0.5 when found */
    float box_xyxy[4];
    float keypoints[SONIC_FACE_KEYPOINTS][2]; /* as in blazeface.h */
    float mesh[SONIC_MESH_POINTS][3];
    float hull_xyxy[4]; /* least and largest x, y of the mesh */
} sonic_face;

/* Finds faces in `image` [height, width, 3] RGB, largest hull first; coordinates in pixels of the image.
 *
 * Stages, until a face is confirmed: the whole image; without a confident detection the whole image on a wider canvas
 * (faces cut by the border) and rotated by multiples of 90 degrees; overlapping square tiles of decreasing size (small
 * faces). A detection counts only when the mesh network confirms it, with a higher threshold in the later stages. Of
 * overlapping detections the best counts. With `thorough` 0 only the whole image is searched: images without a face
 * then take milliseconds instead of seconds. Writes at most SONIC_FACES_MAX and returns how many; failures are the
 * scope's. */
int32_t sonic_face_find(sonic_face out[SONIC_FACES_MAX], sonic_scope *scope, sonic_operator_call *weights,
                        sonic_image image, int32_t thorough);

/* Fits the mesh into a box around an upright face that the caller marked; `presence` may be below 0.5, `score` is 0.
 * SONIC_ERROR_ARGUMENT: a box without area or far outside the image. */
void sonic_face_fit(sonic_face *out, sonic_scope *scope, sonic_operator_call *weights, sonic_image image,
                    const float box_xyxy[4]);

/* The mesh of a face in the next frame of a video: one run of the mesh network around the points `before`, without
 * detector or refinement; `presence` below 0.5: the face is lost. `score` and `keypoints` are 0, the box is
 * the hull. SONIC_ERROR_ARGUMENT: points without area or far outside the image. */
void sonic_face_track(sonic_face *out, sonic_scope *scope, sonic_operator_call *weights, sonic_image image,
                      const float before[SONIC_MESH_POINTS][3]);

#endif
