/* mouth.h - what shows between parted lips: cavity, teeth, tongue. */
#ifndef SONIC_DRAFT_MOUTH_H
#define SONIC_DRAFT_MOUTH_H

#include "draft/field.h"
#include "draft/rig_parts.h"

/* Takes colours and sizes from the portrait; fills rig->interior. */
void sonic_mouth_build(sonic_draft_rig *rig, const float *mesh);

/* A place between the lips, in pixels. */
typedef struct sonic_mouth_place {
    float skull_u, skull_v; /* face frame of the head, unmoved by the lips */
    float jaw_u, jaw_v;     /* face frame of the lower layer */
    float under_upper;      /* below the edge of the upper lip */
    float over_lower;       /* above the edge of the lower lip */
} sonic_mouth_place;

/* rgb[3], 0..255 */
void sonic_mouth_color(float *rgb, const sonic_draft_rig *rig, const sonic_motion *motion, const sonic_mouth_place *place);

#endif
