/* mesh_crop.h - the upright square that is the input of the mesh network, and the mapping of its points to the image.
 */
#ifndef SONIC_FACE_MESH_CROP_H
#define SONIC_FACE_MESH_CROP_H

#include "face/face_mesh.h"

/* A square of the image, rotated so that the eyes are level. */
typedef struct sonic_mesh_crop {
    double matrix[6]; /* [2, 3]: pixel of the image -> pixel of the crop */
    double scale;     /* crop pixels per image pixel */
} sonic_mesh_crop;

/* The square that MediaPipe takes around a box: side 1.5 times the box's longer side, rotated by the line from
 * `left_eye` to `right_eye` (as seen in the image). */
sonic_mesh_crop sonic_mesh_crop_make(const float box_xyxy[4], const float left_eye[2], const float right_eye[2]);

/* The same square upside down. */
sonic_mesh_crop sonic_mesh_crop_half_turn(const sonic_mesh_crop *crop);

/* Fills `planes` [3, 192, 192], 0..1, black beyond the image. `square` is scratch of 192 * 192 * 3 bytes. */
sonic_status sonic_mesh_crop_fill(float *planes, uint8_t *square, sonic_image image, const sonic_mesh_crop *crop);

/* The network's points [468 * 3] in pixels of the image. */
void sonic_mesh_to_image(float out[SONIC_MESH_POINTS][3], const float *points, const sonic_mesh_crop *crop);

/* Least and largest x, y of a mesh. */
void sonic_mesh_hull(float hull_xyxy[4], const float mesh[SONIC_MESH_POINTS][3]);

/* The square of the next pass: around the hull of the points, rotated by the midpoints of the eyes' corners. */
sonic_mesh_crop sonic_mesh_crop_from_mesh(const float mesh[SONIC_MESH_POINTS][3]);

#endif
