/* eyes.h - the upper eyelids: skin that slides down over the eye, with the lashes on its edge.
 *
 * Each eye has its own frame, a along the line between its corners, b across it, downwards. A lid moves down by its
 * edge's way to the lower lid; the way fades over the skin up to the brow, so that lid and crease unfold while brow and
 * eyeball stay. */
#ifndef SONIC_DRAFT_RENDER_EYES_H
#define SONIC_DRAFT_RENDER_EYES_H

#include "draft/render/rig_parts.h"

/* Fills rig->eyes. An eye that is closed, too small, or behind dark glasses is left alone (`moves` 0). */
void sonic_eyes_build(sonic_draft_rig *rig, const float *mesh);

/* Index of the eye whose surroundings the box (portrait pixels) meets, or -1. */
int32_t sonic_eyes_meet(const sonic_draft_rig *rig, float left, float top, float right, float bottom);

/* rgbx[4] of the portrait at (x, y) with that eye's lid lowered by `blink`, 0 .. 1. */
void sonic_eye_sample(float *rgbx, const sonic_draft_rig *rig, int32_t eye, float blink, float x, float y);

#endif
