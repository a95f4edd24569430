/* mouth.h - the shape of the mouth, independent of the head's pose. */
#ifndef SONIC_LIPSYNC_MOUTH_H
#define SONIC_LIPSYNC_MOUTH_H

#include "face/landmarks.h" /* SONIC_MESH_POINTS */
#include "sonic.h"

#define SONIC_LIPSYNC_RIGID_POINTS 64  /* of the mesh: brow, temples, nose, cheekbones, corners of the eyes */
#define SONIC_LIPSYNC_MOUTH_POINTS 55  /* 40 of the lips, 15 of the chin */
#define SONIC_LIPSYNC_MOUTH_VALUES 111 /* their x and y; the logarithm of the gap between the lips */

/* Mesh indices of the points that move rigidly with the skull. */
extern const int16_t sonic_lipsync_rigid_point[SONIC_LIPSYNC_RIGID_POINTS];

/* out [111]: x and y of the mouth and chin points after a similarity transform (rotation, translation, scale) aligns
 * the head with `rest` [64, 3], the rigid points of the mean head, y down, in units of the distance between the outer
 * corners of the eyes. The last value is log(gap between the lips + 0.02) in these units: lips that just close for a p,
 * b or m change their points little and this value much. Least-squares alignment by Horn's unit quaternion (B. K. P.
 * Horn, "Closed-form solution of absolute orientation using unit quaternions", J. Opt. Soc. Am. A 4, 1987). Returns 0,
 * with NaN in `out`, for a mesh without extent or with a coordinate that is not finite. */
int sonic_lipsync_mouth(float out[SONIC_LIPSYNC_MOUTH_VALUES], const float mesh[SONIC_MESH_POINTS][3],
                        const float rest[SONIC_LIPSYNC_RIGID_POINTS][3]);

#endif
