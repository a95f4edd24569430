/* dub.h - frames of a clip with another mouth.
 *
 * Each frame is a portrait of its own (draft/render/rig.h): the lips that it shows are closed or opened to where the
 * pose wants them, along its own lip line, so skin, light and head stay those of the frame. */
#ifndef SONIC_DUB_DUB_H
#define SONIC_DUB_DUB_H

#include "draft/pose.h"
#include "sonic.h"

typedef struct sonic_dub {
    uint8_t *frames;             /* [count, height_px, width_px, 3] RGB; changed in place */
    int32_t height_px, width_px; /* sides 16 .. 8192 */
    const float *meshes;         /* [count, 468, 3]: the smoothed track (track.h) */
    const float *poses;          /* [count, SONIC_POSE_COUNT]; sway and blink are not used */
    double mouth_width;          /* at rest (sonic_track_finish), face heights */
    int64_t count;
} sonic_dub;

/* Draws all frames. Pixels outside the head's outline grown by 12 % (plus a step of the warp's grid, a 72nd of the
 * face), and above the nose, keep their bits. SONIC_ERROR_ARGUMENT: a mesh that is not that of a face in its frame. */
sonic_status sonic_dub_frames(const sonic_dub *dub);

/* Whether a frame's mesh can be animated: SONIC_OK, or SONIC_ERROR_ARGUMENT for a profile or a tiny face. */
sonic_status sonic_dub_check(const float *mesh, int32_t width_px, int32_t height_px);

/* The distance of the mouth's corners in face heights. */
double sonic_dub_mouth_width(const float *mesh);

#endif
