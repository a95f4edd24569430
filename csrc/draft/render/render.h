/* render.h - poses of a rig as pictures. */
#ifndef SONIC_DRAFT_RENDER_RENDER_H
#define SONIC_DRAFT_RENDER_RENDER_H

#include "draft/pose.h"
#include "draft/render/rig.h"

/* frames [count, height, width, 3] RGB for poses [count, SONIC_POSE_COUNT] (pose.h). Values outside their ranges are
 * taken as the nearest end; NaN is refused with SONIC_ERROR_ARGUMENT. The rest pose gives the portrait itself, bit by
 * bit, and the result does not depend on the number of threads. `progress` is asked every few frames. */
sonic_status sonic_draft_render(uint8_t *frames, const sonic_draft_rig *rig, const float *poses, int64_t count,
                                sonic_progress_fn progress, void *context);

#endif
