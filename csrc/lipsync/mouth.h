/* mouth.h - the shape of a mouth, whatever the head does. */
#ifndef SONIC_LIPSYNC_MOUTH_H
#define SONIC_LIPSYNC_MOUTH_H

#include "face/landmarks.h"
#include "sonic.h"

#define SONIC_SYNC_RIGID_POINTS 64  /* of the mesh: brow, temples, nose, cheekbones, corners of the eyes */
#define SONIC_SYNC_MOUTH_POINTS 55  /* 40 of the lips, 15 of the chin */
#define SONIC_SYNC_MOUTH_VALUES 111 /* their x and y; how shut the lips are */

/* Numbers in the mesh of the points that move with the skull. */
extern const int16_t sonic_sync_rigid_point[SONIC_SYNC_RIGID_POINTS];

/* out [111]: the points of mouth and chin after the head was turned, moved and scaled onto `rest` [64, 3], the rigid
 * points of a head at rest, y down, in units of the distance of the eyes' outer corners; last the logarithm of the gap
 * between the lips plus 0.02 in the same units: lips that just close for a p, b or m differ little in their points and
 * much in this. Least squares by Horn's unit quaternion (B. K. P. Horn, "Closed-form solution of absolute orientation
 * using unit quaternions", J. Opt. Soc. Am. A 4, 1987). Returns 0, and NaN in `out`, for a mesh without size or with a
 * point that is not a number. */
int sonic_sync_mouth(float out[SONIC_SYNC_MOUTH_VALUES], const float mesh[SONIC_MESH_POINTS][3],
                     const float rest[SONIC_SYNC_RIGID_POINTS][3]);

#endif
