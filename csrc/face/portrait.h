/* portrait.h - what a portrait's face looks like as a picture: its light, how it is turned, how much of it is there.
 *
 * All of it is arithmetic on the points of a mesh and the pixels below them; sonic_nodes/portrait.py has the limits. */
#ifndef SONIC_FACE_PORTRAIT_H
#define SONIC_FACE_PORTRAIT_H

#include "face/landmarks.h"
#include "sonic.h"

/* An image and, for one with transparent parts, its alpha [height, width, 1]; without, alpha.data is NULL. A pixel
 * counts from SONIC_ALPHA_OPAQUE on. */
typedef struct sonic_portrait_view {
    sonic_image image, alpha;
} sonic_portrait_view;

/* JFIF's luma (gate/luma.h) in a part of an image. */
typedef struct sonic_face_light {
    int64_t pixels;         /* that count; 0: the rest is 0 */
    int32_t low, mid, high; /* 5th, 50th and 95th percentile, levels */
    double bright_share;    /* of pixels >= SONIC_FACE_BRIGHT */
} sonic_face_light;

#define SONIC_FACE_BRIGHT 250

/* The light inside a polygon of `count` points (x, y in pixels, even-odd rule). */
void sonic_face_light_measure(sonic_face_light *out, sonic_portrait_view view, const float (*polygon)[2],
                              int32_t count);

/* The same inside the outline of a face. */
void sonic_face_light_of_mesh(sonic_face_light *out, sonic_portrait_view view, const float mesh[SONIC_MESH_POINTS][3]);

/* How far the face is turned in the image plane, degrees clockwise, above -180 and up to 180: 0 is upright, at 90 its
 * top points to the right. From the line between the eyes' corners. */
double sonic_face_roll(const float mesh[SONIC_MESH_POINTS][3]);

/* Share of the mesh's points that lie outside the image or on pixels that do not count, 0..1; or that of the points of
 * the lips, where it is larger. */
double sonic_face_missing(sonic_portrait_view view, const float mesh[SONIC_MESH_POINTS][3]);

#endif
