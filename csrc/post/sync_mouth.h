/* sync_mouth.h - the shape of a mouth, whatever the head does. */
#ifndef SONIC_POST_SYNC_MOUTH_H
#define SONIC_POST_SYNC_MOUTH_H

#include "sonic.h"

#define SONIC_SYNC_MESH_POINTS 468   /* face/face_mesh.h */
#define SONIC_SYNC_RIGID_POINTS 64   /* of the mesh: brow, temples, nose, cheekbones, corners of the eyes */
#define SONIC_SYNC_MOUTH_VALUES 110  /* x and y of 40 points of the lips and 15 of the chin */

/* Numbers in the mesh of the points that move with the skull. */
extern const int16_t sonic_sync_rigid_point[SONIC_SYNC_RIGID_POINTS];

/* out [110]: the points of mouth and chin after the head was turned, moved and scaled onto `rest` [64, 3], the rigid points of a head at
 * rest, y down, in units of the distance of the eyes' outer corners. Least squares by Horn's unit quaternion (B. K. P. Horn, "Closed-form
 * solution of absolute orientation using unit quaternions", J. Opt. Soc. Am. A 4, 1987). Returns 0, and NaN in `out`, for a mesh without
 * size or with a point that is not a number. */
int sonic_sync_mouth(float out[SONIC_SYNC_MOUTH_VALUES], const float mesh[SONIC_SYNC_MESH_POINTS][3], const float rest[SONIC_SYNC_RIGID_POINTS][3]);

#endif
