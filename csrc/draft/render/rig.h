/* rig.h - a portrait prepared for animation: everything that the renderer can compute before it knows a pose.
 *
 * The portrait is warped in two layers, an upper one (head and upper lip) and a lower one (lower lip, chin), parted
 * along the line between the lips (lip_line.h). Each layer has a smooth displacement field, a sum of fields built once
 * per portrait on a coarse grid (warp_field.h). mouth.h composes what appears between the parted lips, eyes.h moves the
 * eyelids, render.h draws frames. */
#ifndef SONIC_DRAFT_RENDER_RIG_H
#define SONIC_DRAFT_RENDER_RIG_H

#include "sonic.h"

typedef struct sonic_draft_rig sonic_draft_rig;

/* `image` [height, width, 3] RGB, copied; sides 16 .. 8192 px. `mesh` [468, 3] in image pixels (face/landmarks.h); z
 * gives the head's tilt, zeros are accepted. The rig is immutable and may serve several threads at once.
 * SONIC_ERROR_ARGUMENT when the mesh is not that of a face in this image, SONIC_ERROR_SHAPE, SONIC_ERROR_MEMORY. */
sonic_status sonic_draft_rig_create(sonic_draft_rig **out, sonic_image image, const float *mesh);

/* The same for a frame of a clip, whose mouth may be open already: a pose's opening is then not added to it, but is how
 * far the lips are parted in the result, 0 closed. Nothing changes above the nose, nor outside the head's outline grown
 * by 12 %. */
sonic_status sonic_draft_rig_create_from_frame(sonic_draft_rig **out, sonic_image image, const float *mesh);
void sonic_draft_rig_free(sonic_draft_rig *rig);

int32_t sonic_draft_rig_width_px(const sonic_draft_rig *rig);
int32_t sonic_draft_rig_height_px(const sonic_draft_rig *rig);

#endif
