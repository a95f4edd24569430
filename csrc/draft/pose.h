/* pose.h - the interface between speech/ and render/: how the face deviates from the portrait in one frame.
 *
 * A pose is SONIC_POSE_COUNT floats; a clip is [frames, SONIC_POSE_COUNT] at SONIC_POSE_FPS. The rest pose is all zeros
 * and leaves the portrait as it is. A face height is the distance of the mesh's forehead and chin (face/landmarks.h).
 */
#ifndef SONIC_DRAFT_POSE_H
#define SONIC_DRAFT_POSE_H

#include "core/video_rates.h"

#define SONIC_POSE_FPS SONIC_VIDEO_FPS

enum {
    SONIC_POSE_OPENING = 0,  /* gain of the inner lips' distance over the portrait's, in face heights; 0 .. 0.2 */
    SONIC_POSE_WIDTH = 1,    /* relative change of the distance of the mouth's corners; -0.3 .. 0.3 */
    SONIC_POSE_ROUNDING = 2, /* lips protruded and rounded, as for u and w; 0 .. 1 */
    SONIC_POSE_PRESS = 3,    /* lips pressed together, as for p, b and m; 0 .. 1 */
    SONIC_POSE_BLINK = 4,    /* eyelids: 0 as in the portrait, 1 closed */
    SONIC_POSE_SWAY_X = 5,   /* head towards the image's right, in face heights; about -0.03 .. 0.03 */
    SONIC_POSE_SWAY_Y = 6,   /* head down, in face heights; about -0.03 .. 0.03 */
    SONIC_POSE_ROLL = 7,     /* head rotated clockwise in the image plane, in radians; about -0.05 .. 0.05 */
    SONIC_POSE_COUNT = 8
};

#endif
