/* mouth.h - what shows between parted lips: cavity, teeth, tongue.
 *
 * Sizes follow dental anatomy in face heights (forehead to chin: about 165 mm): crown of a central incisor 8.5 mm wide,
 * lateral 6.5, canine 7.5, premolars 7; lower incisors 5.3 and 6 (Wheeler's Dental Anatomy, tables of crown
 * dimensions); about 4 mm of the upper incisors show below a resting upper lip when the mouth opens (Vig and Brundo,
 * 1978). */
#ifndef SONIC_DRAFT_RENDER_MOUTH_H
#define SONIC_DRAFT_RENDER_MOUTH_H

#include "draft/render/warp_field.h"

/* Colours 0..255, lengths in px. */
enum { SONIC_TEETH = 6 }; /* per side, from the middle */
typedef struct sonic_interior {
    float cavity[3], flesh[3], teeth[3];
    float own_teeth;               /* 1: the portrait shows what is behind its upper lip, 0: teeth are drawn */
    float half;                    /* half the mouth's width */
    float upper_edge[SONIC_TEETH]; /* outer side of each tooth, from the middle */
    float lower_edge[SONIC_TEETH];
    float upper_drop, lower_rise; /* extent of the rows beyond the lip line, middle teeth */
    float softness;               /* width of an edge in this portrait */
    float grain;                  /* standard deviation of its noise, levels */
} sonic_interior;

/* Colours and sizes from the portrait. */
void sonic_mouth_build(sonic_interior *interior, const sonic_lips *lips, const sonic_face_frame *frame,
                       const sonic_texture *texture, const float *mesh);

/* A point between the lips, in pixels. */
typedef struct sonic_mouth_place {
    float skull_u, skull_v; /* in the frame of the head, without the lips' motion */
    float upper_u, jaw_u;   /* u in the upper and in the lower layer */
    float under_upper;      /* below the edge of the upper lip */
    float over_lower;       /* above the edge of the lower lip */
} sonic_mouth_place;

/* rgb [3], 0..255, of a face of `height`. */
void sonic_mouth_color(float *rgb, const sonic_interior *interior, const sonic_lips *lips, float height,
                       const sonic_warp_motion *motion, const sonic_mouth_place *place);

#endif
