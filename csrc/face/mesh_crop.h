/* mesh_crop.h - the upright square that the mesh network sees, and its points back in the picture. */
#ifndef SONIC_FACE_MESH_CROP_H
#define SONIC_FACE_MESH_CROP_H

#include "face/face_mesh.h"

/* A square of the picture: turned so that the eyes are level, `size_px` a side. */
typedef struct sonic_mesh_crop {
    double matrix[6]; /* [2, 3]: pixel of the picture -> pixel of the crop */
    double scale;     /* crop pixels per picture pixel */
} sonic_mesh_crop;

/* The square that MediaPipe takes around a box: side 1.5 times the box's longer side, turned by the line from
 * `left_eye` to `right_eye` (as seen in the picture). */
sonic_mesh_crop sonic_mesh_crop_make(const float box_xyxy[4], const float left_eye[2], const float right_eye[2]);

/* Fills `planes` [3, 192, 192], 0..1, black beyond the picture. `square` is scratch of 192 * 192 * 3 bytes. */
sonic_status sonic_mesh_crop_fill(float *planes, uint8_t *square, sonic_image picture, const sonic_mesh_crop *crop);

/* The network's points [468 * 3] in pixels of the picture. */
void sonic_mesh_to_picture(float out[SONIC_MESH_POINTS][3], const float *points, const sonic_mesh_crop *crop);

/* Least and largest x, y of a mesh. */
void sonic_mesh_hull(float hull_xyxy[4], const float mesh[SONIC_MESH_POINTS][3]);

/* The square for another pass, from the points of the last one: their hull, turned by the middles of the eyes' corners.
 */
sonic_mesh_crop sonic_mesh_crop_from_mesh(const float mesh[SONIC_MESH_POINTS][3]);

#endif
