/* face_frame.h - a coordinate system on the face: origin between the lips, u along the face's width (to the image's
 * right when upright), v down the face; both in pixels of the portrait. */
#ifndef SONIC_DRAFT_RENDER_FACE_FRAME_H
#define SONIC_DRAFT_RENDER_FACE_FRAME_H

#include "sonic.h"

typedef struct sonic_face_frame {
    float origin_x, origin_y;
    float ux, uy, vx, vy;       /* unit vectors of u and v in the image */
    float height;               /* forehead to chin: the unit of poses */
    float left, right;          /* u of the mouth's corners, left < 0 < right */
    float chin, nose;           /* v of the chin's lowest point and of the nose's base */
    float upper_lip, lower_lip; /* thickness of the lips in the middle */
    float opening_gain;         /* parting of the lips per parting that the face mesh measures */
} sonic_face_frame;

/* From the mesh [468, 3] in pixels of a portrait of this size. SONIC_ERROR_ARGUMENT when the mesh is not that
 * of a frontal face in the portrait. */
sonic_status sonic_face_frame_build(sonic_face_frame *frame, const float *mesh, int32_t width_px, int32_t height_px);

static inline float sonic_face_frame_u(const sonic_face_frame *f, float x, float y)
{
    return (x - f->origin_x) * f->ux + (y - f->origin_y) * f->uy;
}

static inline float sonic_face_frame_v(const sonic_face_frame *f, float x, float y)
{
    return (x - f->origin_x) * f->vx + (y - f->origin_y) * f->vy;
}

#endif
