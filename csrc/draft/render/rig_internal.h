/* rig_internal.h - the members of a rig, for rig.c and render.c. */
#ifndef SONIC_DRAFT_RENDER_RIG_INTERNAL_H
#define SONIC_DRAFT_RENDER_RIG_INTERNAL_H

#include "draft/render/bicubic.h"
#include "draft/render/eyes.h"
#include "draft/render/face_frame.h"
#include "draft/render/lip_line.h"
#include "draft/render/mouth.h"
#include "draft/render/outline.h"
#include "draft/render/warp_field.h"

struct sonic_draft_rig {
    sonic_texture texture;
    uint8_t *image; /* [height, width, 3] */
    sonic_face_frame frame;
    sonic_outline outline;
    sonic_lip_line lip_line;
    sonic_lips lips;
    sonic_warp_field field;
    sonic_interior interior;
    sonic_eye eyes[SONIC_EYES];
};

#endif
