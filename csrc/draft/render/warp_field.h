/* warp_field.h - displacement fields of the two layers: a basis built once on a coarse grid, combined and inverted for
 * each frame. Lengths are pixels of the portrait. */
#ifndef SONIC_DRAFT_RENDER_WARP_FIELD_H
#define SONIC_DRAFT_RENDER_WARP_FIELD_H

#include "draft/render/face_frame.h"
#include "draft/render/lip_line.h"
#include "draft/render/outline.h"

/* Coarse grid over the whole image: node (column, row) lies at pixel (column, row) * step. */
typedef struct sonic_warp_grid {
    int32_t columns, rows, step;
} sonic_warp_grid;

enum {
    SONIC_BASIS_OPEN,  /* lips parted by one pixel, from corner to corner */
    SONIC_BASIS_HOLE,  /* the same with the corners still closed, as for o and u */
    SONIC_BASIS_CHIN,  /* chin lowered by one pixel */
    SONIC_BASIS_WIDTH, /* width + 1 */
    SONIC_BASIS_ROUND, /* rounding 1 */
    SONIC_BASIS_PRESS, /* press 1 */
    SONIC_BASIS_CLOSE, /* lips that the picture shows parted, closed from corner to corner */
    SONIC_BASIS_COUNT
};
enum { SONIC_UPPER_X, SONIC_UPPER_Y, SONIC_LOWER_X, SONIC_LOWER_Y, SONIC_COMPONENTS };

typedef struct sonic_warp_field {
    sonic_warp_grid grid;
    float *basis;     /* [SONIC_BASIS_COUNT, SONIC_COMPONENTS, rows, columns] */
    float *sway;      /* [rows, columns]: share of the head's motion, 0..1 */
    float widest_gap; /* how far the lips can part before the chin would fold */
    float own_gap;    /* how far they are parted in the picture, px in the middle; 0 for a portrait */
} sonic_warp_field;

/* Where a frame of a clip may change: not above its nose. 0 at `top`, 1 from `bottom` on (v); a portrait has none. */
typedef struct sonic_warp_window {
    float top, bottom;
} sonic_warp_window;

/* Fields of a portrait of `width` x `height`. The caller frees basis and sway, also after a failure. `window` may be
 * NULL. SONIC_ERROR_MEMORY. */
sonic_status sonic_warp_field_build(sonic_warp_field *field, const sonic_face_frame *frame, const sonic_lip_line *line,
                                    const sonic_outline *outline, const sonic_warp_window *window, int32_t width,
                                    int32_t height);

/* A pose in terms of the fields, computed once per frame. */
typedef struct sonic_warp_motion {
    float gain[SONIC_BASIS_COUNT];
    float gap_px;                       /* how far the lips part in the middle; of a frame, how far they are parted */
    float sway_x, sway_y, cosine, sine; /* the head's rigid motion about the pivot */
    float pivot_x, pivot_y;
    float press, rounding, blink;
} sonic_warp_motion;

/* Values of the pose [SONIC_POSE_COUNT] outside their ranges are clamped. */
sonic_warp_motion sonic_warp_motion_from_pose(const sonic_warp_field *field, const sonic_face_frame *frame,
                                              const float *pose);

/* forward [SONIC_COMPONENTS, rows, columns]: displacement of each node from the portrait to the frame; fills the nodes
 * of `row`. */
void sonic_warp_field_combine_row(float *forward, const sonic_warp_field *field, const sonic_warp_motion *motion,
                                  int32_t row);

/* inverse [SONIC_COMPONENTS, rows, columns]: displacement of each node from the frame to the portrait; fills the nodes
 * of `row`. Newton's method on the bilinear forward field. */
void sonic_warp_field_invert_row(float *inverse, const float *forward, const sonic_warp_grid *grid, int32_t row);

#endif
