/* find.h - from a picture to its faces: detector, upright crop, mesh, and the mesh again from its own points until it
 * stays. */
#ifndef SONIC_FACE_FIND_H
#define SONIC_FACE_FIND_H

#include "face/blazeface.h"
#include "face/face_mesh.h"

/* The longest side of a picture (OpenCV's warps address pixels with 16 bits). */
#define SONIC_PICTURE_SIDE_MAX_PX 32767

#define SONIC_FACES_MAX 16

typedef struct sonic_face {
    float score;    /* the detector's, 0..1 */
    float presence; /* the mesh network's belief that this is a face, 0..1; at least 0.5 when found */
    float box_xyxy[4];
    float keypoints[SONIC_FACE_KEYPOINTS][2]; /* as in blazeface.h */
    float mesh[SONIC_MESH_POINTS][3];
    float hull_xyxy[4]; /* least and largest x, y of the mesh */
} sonic_face;

/* Finds faces in `picture` [height, width, 3] RGB, largest hull first; all coordinates in pixels of the picture.
 *
 * Searched in this order until a face is confirmed: the whole picture; when that shows none for certain, the whole
 * picture on a wider canvas (faces cut by the border) and turned by quarters (sideways, upside down); overlapping
 * square tiles of ever smaller size (small faces). A detection counts only when the mesh network, too, says that there
 * is a face, and beyond doubt where the first look saw none. Of detections that overlap, the best counts. With
 * `thorough` 0 the whole picture is all that is searched: pictures without a face then take milliseconds instead of
 * seconds. Writes at most SONIC_FACES_MAX and returns how many; failures are the scope's. */
int32_t sonic_face_find(sonic_face out[SONIC_FACES_MAX], sonic_scope *scope, sonic_operator_call *weights,
                        sonic_image picture, int32_t thorough);

/* Lays the mesh into a box around an upright face that the caller vouches for; `presence` may then be below 0.5, and
 * `score` is 0. SONIC_ERROR_ARGUMENT: a box without area or far outside the picture. */
void sonic_face_fit(sonic_face *out, sonic_scope *scope, sonic_operator_call *weights, sonic_image picture,
                    const float box_xyxy[4]);

/* The mesh of a face in the next picture of a video: one run of the mesh network around the points `before`, without
 * detector or refinement; `presence` below 0.5 says that the face is lost. `score` and `keypoints` are 0, the box is
 * the hull. SONIC_ERROR_ARGUMENT: points without area or far outside the picture. */
void sonic_face_track(sonic_face *out, sonic_scope *scope, sonic_operator_call *weights, sonic_image picture,
                      const float before[SONIC_MESH_POINTS][3]);

#endif
