/* landmarks.h - the points of MediaPipe's face mesh by name.
 *
 * Numbers are those of MediaPipe's canonical face model (mediapipe/modules/face_geometry/data/canonical_face_model.obj,
 * vertex order); contours follow mediapipe/python/solutions/face_mesh_connections.py. The model of 478 points appends
 * the irises; this one has none. A mesh is float [SONIC_MESH_POINTS, 3]: x, y in pixels, z on the same scale, larger is
 * farther away. LEFT and RIGHT are the image's sides.
 *
 * Contours are initialiser lists, so that a user may join several in one table of its own type:
 *
 *     static const int16_t lips[] = {SONIC_LANDMARKS_LIPS_OUTER, SONIC_LANDMARKS_LIPS_INNER};
 */
#ifndef SONIC_FACE_LANDMARKS_H
#define SONIC_FACE_LANDMARKS_H

#define SONIC_MESH_POINTS 468

enum {
    SONIC_LANDMARK_FOREHEAD = 10, /* highest point; |FOREHEAD - CHIN| is the face's height */
    SONIC_LANDMARK_CHIN = 152,    /* lowest point */
    SONIC_LANDMARK_NOSE_BASE = 2,
    SONIC_LANDMARK_LIP_TOP = 0, /* middle of the lips from top to bottom: outer, inner, inner, outer edge */
    SONIC_LANDMARK_LIP_UPPER = 13,
    SONIC_LANDMARK_LIP_LOWER = 14,
    SONIC_LANDMARK_LIP_BOTTOM = 17,
    SONIC_LANDMARK_MOUTH_LEFT = 61, /* corners of the outer and of the inner contour */
    SONIC_LANDMARK_MOUTH_RIGHT = 291,
    SONIC_LANDMARK_MOUTH_LEFT_INNER = 78,
    SONIC_LANDMARK_MOUTH_RIGHT_INNER = 308,
    SONIC_LANDMARK_EYE_LEFT_OUTER = 33,
    SONIC_LANDMARK_EYE_LEFT_INNER = 133,
    SONIC_LANDMARK_EYE_RIGHT_INNER = 362,
    SONIC_LANDMARK_EYE_RIGHT_OUTER = 263
};

/* A contour of the lips has SONIC_LIP_POINTS points on its lower edge, from corner to corner, left to right; then those
 * of its upper edge between the corners, left to right. */
enum { SONIC_LIP_POINTS = 11, SONIC_LIP_CONTOUR_POINTS = 2 * SONIC_LIP_POINTS - 2 };
#define SONIC_LANDMARKS_LIPS_OUTER                                                                                     \
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409
#define SONIC_LANDMARKS_LIPS_INNER                                                                                     \
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415

/* Position in a lip contour of point i of its upper edge, i = 0 .. SONIC_LIP_POINTS - 1 from corner to corner. */
static inline int sonic_landmarks_upper_lip(int i)
{
    return i == 0 || i == SONIC_LIP_POINTS - 1 ? i : i + SONIC_LIP_POINTS - 1;
}

/* The contour of an eye is a ring: SONIC_LID_POINTS points along the lower lid from the outer corner to the inner one,
 * and back along the upper lid. */
enum { SONIC_LID_POINTS = 9, SONIC_EYE_CONTOUR_POINTS = 2 * SONIC_LID_POINTS - 2 };
#define SONIC_LANDMARKS_EYE_LEFT 33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246
#define SONIC_LANDMARKS_EYE_RIGHT 263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466

/* Position in the ring of point i of the upper lid, i = 0 .. SONIC_LID_POINTS - 1 from the outer corner. */
static inline int sonic_landmarks_upper_lid(int i) { return (SONIC_EYE_CONTOUR_POINTS - i) % SONIC_EYE_CONTOUR_POINTS; }

/* Lower edges of the brows, left to right. */
enum { SONIC_BROW_POINTS = 5 };
#define SONIC_LANDMARKS_BROW_LEFT 46, 53, 52, 65, 55
#define SONIC_LANDMARKS_BROW_RIGHT 285, 295, 282, 283, 276

/* The face's outline, clockwise in the image from the forehead. */
#define SONIC_LANDMARKS_FACE_OVAL                                                                                      \
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,  \
        136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109

/* The lower edge of the chin, then its front up to the lower lip. */
#define SONIC_LANDMARKS_CHIN_AREA 152, 148, 176, 149, 377, 400, 378, 199, 200, 175, 18, 83, 313, 201, 421

/* Skin of the cheeks, left and right in turn. */
#define SONIC_LANDMARKS_CHEEKS 50, 280, 101, 330, 36, 266

/* Skin that masks, beards and hands before the mouth leave free: nose, forehead, below the eyes. */
#define SONIC_LANDMARKS_UPPER_SKIN 6, 197, 168, 9, 8, 151, 108, 337, 117, 346, 100, 329, 101, 330

/* Points that move with the skull: forehead, temples, nose, corners of the eyes, cheekbones. */
#define SONIC_LANDMARKS_RIGID                                                                                          \
    10, 67, 109, 338, 297, 103, 332, 54, 284, 21, 251, 127, 356, 162, 389, 234, 454, 93, 323, 168, 6, 197, 195, 5, 4,  \
        33, 133, 362, 263, 9, 8, 151, 108, 337, 69, 299, 104, 333, 68, 298, 71, 301, 139, 368, 34, 264, 143, 372, 116, \
        345, 117, 346, 50, 280, 101, 330, 36, 266, 198, 420, 217, 437, 129, 358

#endif
