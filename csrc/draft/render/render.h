/* render.h - frames from poses.
 *
 * Usage
 *     sonic_draft_rig *rig;
 *     sonic_status status = sonic_draft_rig_create(&rig, image, mesh);
 *     if (!status)
 *         status = sonic_draft_render(frames, rig, poses, count, NULL, NULL);
 *     sonic_draft_rig_free(rig);
 */
#ifndef SONIC_DRAFT_RENDER_RENDER_H
#define SONIC_DRAFT_RENDER_RENDER_H

#include "draft/pose.h"
#include "draft/render/rig.h"

/* frames [count, height, width, 3] RGB for poses [count, SONIC_POSE_COUNT] (pose.h). Values outside their ranges are
 * clamped; NaN is refused with SONIC_ERROR_ARGUMENT. The rest pose reproduces the portrait bit for bit, and the result
 * does not depend on the number of threads. `progress` is called every few frames. */
sonic_status sonic_draft_render(uint8_t *frames, const sonic_draft_rig *rig, const float *poses, int64_t count,
                                sonic_progress_fn progress, void *context);

#endif
