/* eyes.h - the upper eyelids: skin that slides down over the eye, with the lashes on its edge.
 *
 * Each eye has its own frame: a along the line between its corners, -1 and 1 at them; b across it, downwards, in px. A
 * lid's edge moves down to the lower lid; the displacement fades over the skin up to the brow, so that lid and crease
 * unfold while brow and eyeball stay. */
#ifndef SONIC_DRAFT_RENDER_EYES_H
#define SONIC_DRAFT_RENDER_EYES_H

#include "draft/render/bicubic.h"
#include "draft/render/face_frame.h"

enum { SONIC_EYES = 2 };
typedef struct sonic_eye {
    int32_t moves;            /* 0: never changed */
    float x, y, ax, ay, half; /* midpoint of the corners, direction of a, half their distance */
    float upper[4], lower[4]; /* the lids' edges: b as a cubic in a */
    float open, fold;         /* distance of the lids in the middle; height of the skin that follows the lid */
} sonic_eye;

/* An eye that is closed, too small, or behind dark glasses does not move. */
void sonic_eyes_build(sonic_eye eyes[SONIC_EYES], const sonic_face_frame *frame, const sonic_texture *texture,
                      const float *mesh);

/* Index of the moving eye whose surroundings the box (portrait pixels) meets, or -1. */
int32_t sonic_eyes_meet(const sonic_eye eyes[SONIC_EYES], float left, float top, float right, float bottom);

/* rgbx [4] of the portrait at (x, y) with the eye's lid lowered by `blink`, 0 .. 1; edges are `softness` px wide. */
void sonic_eye_sample(float *rgbx, const sonic_eye *eye, const sonic_texture *texture, float softness, float blink,
                      float x, float y);

#endif
