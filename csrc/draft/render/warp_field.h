/* warp_field.h - displacement fields of the two layers: built once on a coarse grid, combined and inverted for each
 * frame. */
#ifndef SONIC_DRAFT_RENDER_WARP_FIELD_H
#define SONIC_DRAFT_RENDER_WARP_FIELD_H

#include "draft/render/rig_parts.h"

/* Fills grid, basis and sway of a rig whose frame, seam and outline are known. SONIC_ERROR_MEMORY. */
sonic_status sonic_field_build(sonic_draft_rig *rig);

/* What a pose means for the fields, worked out once per frame. */
typedef struct sonic_motion {
    float gain[SONIC_BASIS_COUNT];
    float gap_px;                       /* how far the lips part in the middle */
    float sway_x, sway_y, cosine, sine; /* the head's rigid motion about pivot */
    float pivot_x, pivot_y;
    float press, rounding, blink;
} sonic_motion;

sonic_motion sonic_motion_of(const sonic_draft_rig *rig, const float *pose);

/* forward [SONIC_COMPONENTS, rows, columns]: where each node of the portrait goes (displacement), nodes of `row`. */
void sonic_field_combine_row(float *forward, const sonic_draft_rig *rig, const sonic_motion *motion, int32_t row);

/* inverse [SONIC_COMPONENTS, rows, columns]: what each node of the frame shows (displacement to its place in the
 * portrait). Newton's method on the bilinear forward field. */
void sonic_field_invert_row(float *inverse, const float *forward, const sonic_grid *grid, int32_t row);

#endif
