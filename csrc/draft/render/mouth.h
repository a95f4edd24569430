/* mouth.h - what shows between parted lips: cavity, teeth, tongue.
 *
 * Sizes follow dental anatomy in face heights (10-152 about 165 mm): crown of a central incisor 8.5 mm wide,
 * lateral 6.5, canine 7.5, premolars 7; lower incisors 5.3 and 6 (Wheeler's Dental Anatomy, tables of crown
 * dimensions); about 4 mm of the upper incisors show below a resting upper lip when the mouth opens (Vig and Brundo,
 * 1978). */
#ifndef SONIC_DRAFT_RENDER_MOUTH_H
#define SONIC_DRAFT_RENDER_MOUTH_H

#include "draft/render/warp_field.h"
#include "draft/render/rig_parts.h"

/* Takes colours and sizes from the portrait; fills rig->interior. Needs frame, seam, lips and texture. */
void sonic_mouth_build(sonic_draft_rig *rig, const float *mesh);

/* A place between the lips, in pixels. */
typedef struct sonic_mouth_place {
    float skull_u, skull_v; /* face frame of the head, unmoved by the lips */
    float upper_u, jaw_u;   /* u in the upper and in the lower layer */
    float under_upper;      /* below the edge of the upper lip */
    float over_lower;       /* above the edge of the lower lip */
} sonic_mouth_place;

/* rgb[3], 0..255 */
void sonic_mouth_color(float *rgb, const sonic_draft_rig *rig, const sonic_motion *motion,
                       const sonic_mouth_place *place);

#endif
