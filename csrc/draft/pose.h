/* pose.h - what the voice asks of the face in one frame: the interface between voice -> pose and pose -> picture.
 * A pose is SONIC_POSE_COUNT floats; a clip is [frames, SONIC_POSE_COUNT] at 25 frames a second. The rest pose is all
 * zeros and leaves the portrait as it is. */
#ifndef SONIC_DRAFT_POSE_H
#define SONIC_DRAFT_POSE_H

enum {
    /* What the inner lips' distance |13-14| gains over the portrait's, in face heights |10-152|; 0 .. 0.2 */
    SONIC_POSE_OPENING = 0,
    SONIC_POSE_WIDTH = 1,    /* relative change of the distance between the mouth's corners; -0.3 .. 0.3 */
    SONIC_POSE_ROUNDING = 2, /* lips pushed forward and rounded, as for u and w; 0 .. 1 */
    SONIC_POSE_PRESS = 3,    /* lips pressed together, as for p, b and m; 0 .. 1 */
    SONIC_POSE_BLINK = 4,    /* eyelids: 0 as in the portrait, 1 closed */
    SONIC_POSE_SWAY_X = 5,   /* head to the picture's right, in face heights; about -0.03 .. 0.03 */
    SONIC_POSE_SWAY_Y = 6,   /* head down, in face heights */
    SONIC_POSE_ROLL = 7,     /* head turned clockwise in the picture's plane, in radians; about -0.05 .. 0.05 */
    SONIC_POSE_COUNT = 8
};

#define SONIC_POSE_FPS 25

#endif
