#include "draft/render/warp_field.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/scalar.h"
#include "draft/pose.h"

/* From 0 to 1 with a nearly constant slope of at most 1.25. */
static float ramp(float x)
{
    x = sonic_clampf(x, 0.0f, 1.0f);
    float end = x > 0.5f ? 1.0f - x : x, rise = end < 0.2f ? end * end / 0.32f : (end - 0.1f) / 0.8f;
    return x > 0.5f ? 1.0f - rise : rise;
}

static float bell(float x) { return expf(-x * x); }

/* What the fields are built from. */
typedef struct portrait {
    const sonic_face_frame *frame;
    const sonic_lip_line *line;
    const sonic_outline *outline;
    const sonic_warp_window *window; /* NULL: everywhere */
    float right, bottom;             /* the last column and row */
} portrait;

/* A point of the face in the coordinates that the motions are defined in. */
typedef struct place {
    float u, across; /* px from the mouth's middle; the same relative to half the mouth, +-1 at the corners */
    float below;     /* px below the lip line, < 0 above it */
    float height;    /* the face's */
    float parting;   /* height of the gap that the picture shows between the lips */
    float inside;    /* 1 on the head, 0 outside its outline grown by 12 % and outside the window */
    float to_chin;   /* 0 on the lip line, 1 at the height of the chin */
    float corner;    /* 0 in the mouth's middle, 1 at its corners, falling off over the cheeks */
} place;

static place place_at(const portrait *portrait, float x, float y)
{
    const sonic_face_frame *f = portrait->frame;
    place p;
    p.u = sonic_face_frame_u(f, x, y);
    p.height = f->height;
    p.across = p.u < 0.0f ? p.u / -f->left : p.u / f->right;
    float v = sonic_face_frame_v(f, x, y), line = sonic_lip_line_v(portrait->line, p.u);
    p.below = v - line;
    p.to_chin = p.below / fmaxf(f->chin - line, 0.05f * f->height);
    p.parting = sonic_lip_line_parting(portrait->line, p.u);
    p.inside = 1.0f - ramp((sonic_outline_ratio(portrait->outline, x, y) - 0.895f) / 0.225f);
    if (portrait->window)
        p.inside *= sonic_smoothstep((v - portrait->window->top) / (portrait->window->bottom - portrait->window->top));
    float edge = p.u < 0.0f ? -f->left : f->right, beyond = fabsf(p.u) - edge;
    p.corner = beyond > 0.0f ? bell(beyond / (0.16f * f->height)) : sonic_smoothstep(fabsf(p.across));
    return p;
}

/* The lower lip's outline: 1 in the middle, 0 at the corners, where it ends in an angle. */
static float lip_arch(float across, float reach)
{
    float t = sonic_clampf(fabsf(across) / reach, 0.0f, 1.0f);
    return powf(1.0f - t * t, 1.1f);
}

/* Where the parting ends, relative to half the mouth */
static const float open_reach = 0.96f, hole_reach = 0.70f;
static const float corner_drop = 0.22f; /* how far the corners follow the lower lip */
static const float upper_raise = 0.13f; /* how far the upper lip rises, of the gap */

static float open_upper(const place *p, float arch_reach)
{
    float reach = bell(p->below / (0.11f * p->height));
    float raise = upper_raise * lip_arch(p->across, arch_reach);
    return (corner_drop * p->corner - raise) * (p->below < 0.0f ? reach : 1.0f) * p->inside;
}

/* From 0 at the lower lip to 1 on the chin: the skin between them is compressed. */
static float towards_chin(const place *p, const sonic_face_frame *f)
{
    float start = 0.6f * f->lower_lip / fmaxf(f->chin, 1.0f);
    return ramp((p->to_chin - start) / fmaxf(0.82f - start, 0.3f));
}

static float open_lower(const place *p, const sonic_face_frame *f, float arch_reach)
{
    float lip = corner_drop * p->corner + (1.0f - upper_raise) * lip_arch(p->across, arch_reach);
    return lip * (1.0f - towards_chin(p, f)) * p->inside;
}

/* The gap in the picture is closed mostly by the lower lip, as it was opened. */
static float close_lower(const place *p, const sonic_face_frame *f)
{
    return -(1.0f - upper_raise) * p->parting * (1.0f - towards_chin(p, f)) * p->inside;
}

static float close_upper(const place *p)
{
    float above = -(p->below + p->parting);
    return upper_raise * p->parting * (above > 0.0f ? bell(above / (0.11f * p->height)) : 1.0f) * p->inside;
}

/* The jaw rotates about the ears: the chin moves fully, the cheeks less and less. */
static float chin_down(const place *p, const sonic_face_frame *f)
{
    float side = p->u / (0.36f * p->height);
    return towards_chin(p, f) / (1.0f + side * side * side * side) * p->inside;
}

/* Corners out or in; the cheeks follow, the face's outline stays. */
static float width_along_u(const place *p, const sonic_face_frame *f)
{
    float edge = p->u < 0.0f ? f->left : f->right, beyond = fabsf(p->u) - fabsf(edge);
    float along = beyond < 0.0f ? p->u : edge * bell(beyond / (0.12f * p->height));
    return along * bell(p->below / (0.17f * p->height)) * p->inside;
}

/* Lips grow towards the camera: thicker in the middle, their outer edges pushed away from the lip line. */
static float round_along_v(const place *p, float lip, float direction)
{
    float away = fabsf(p->below) / fmaxf(lip, 1.0f);
    float bulge = away < 1.0f ? away : bell((away - 1.0f) / 1.2f);
    return direction * 0.20f * lip * bulge * lip_arch(p->across, 1.0f) * p->inside;
}

/* Lips rolled inwards: their outer edges move towards the lip line. */
static float press_along_v(const place *p, float lip, float direction)
{
    float away = fabsf(p->below) / fmaxf(lip, 1.0f);
    float bulge = away < 1.0f ? away : bell((away - 1.0f) / 1.2f);
    return -direction * 0.22f * lip * bulge * lip_arch(p->across, 1.1f) * p->inside;
}

static size_t node_count(const sonic_warp_grid *grid) { return (size_t)grid->columns * (size_t)grid->rows; }

static size_t node_index(const sonic_warp_grid *grid, int32_t column, int32_t row)
{
    return (size_t)row * (size_t)grid->columns + (size_t)column;
}

/* Displacements along u and v, stored along x and y. */
static void set_node(sonic_warp_field *field, const sonic_face_frame *f, int32_t basis, size_t node, float upper_u,
                     float upper_v, float lower_u, float lower_v)
{
    size_t nodes = node_count(&field->grid);
    float *at = field->basis + (size_t)basis * SONIC_COMPONENTS * nodes + node;
    at[SONIC_UPPER_X * nodes] = upper_u * f->ux + upper_v * f->vx;
    at[SONIC_UPPER_Y * nodes] = upper_u * f->uy + upper_v * f->vy;
    at[SONIC_LOWER_X * nodes] = lower_u * f->ux + lower_v * f->vx;
    at[SONIC_LOWER_Y * nodes] = lower_u * f->uy + lower_v * f->vy;
}

static void build_node(sonic_warp_field *field, const portrait *portrait, int32_t column, int32_t row)
{
    const sonic_face_frame *f = portrait->frame;
    size_t node = node_index(&field->grid, column, row);
    float x = (float)(column * field->grid.step), y = (float)(row * field->grid.step);
    place p = place_at(portrait, x, y);
    float chin = chin_down(&p, f), width = width_along_u(&p, f);
    set_node(field, f, SONIC_BASIS_OPEN, node, 0.0f, open_upper(&p, open_reach), 0.0f, open_lower(&p, f, open_reach));
    set_node(field, f, SONIC_BASIS_HOLE, node, 0.0f, open_upper(&p, hole_reach), 0.0f, open_lower(&p, f, hole_reach));
    set_node(field, f, SONIC_BASIS_CHIN, node, 0.0f, chin, 0.0f, chin);
    set_node(field, f, SONIC_BASIS_WIDTH, node, width, 0.0f, width, 0.0f);
    set_node(field, f, SONIC_BASIS_ROUND, node, 0.0f, round_along_v(&p, f->upper_lip, -1.0f), 0.0f,
             round_along_v(&p, f->lower_lip, 1.0f));
    set_node(field, f, SONIC_BASIS_PRESS, node, 0.0f, press_along_v(&p, f->upper_lip, -1.0f), 0.0f,
             press_along_v(&p, f->lower_lip, 1.0f));
    set_node(field, f, SONIC_BASIS_CLOSE, node, 0.0f, close_upper(&p), 0.0f, close_lower(&p, f));
    float right = portrait->right - x, bottom = portrait->bottom - y;
    float border = fminf(fminf(x, right) / (0.12f * (portrait->right + 1.0f)),
                         fminf(y, bottom) / (0.12f * (portrait->bottom + 1.0f)));
    float ratio = sonic_outline_ratio(portrait->outline, x, y);
    field->sway[node] = (1.0f - sonic_smoothstep((ratio - 1.1f) / 1.1f)) * sonic_smoothstep(border);
}

/* The chin moves about 0.7 times as far as the lip, and at most as far as the neck leaves room. */
static float chin_gain(float gap, float height)
{
    float most = 0.060f * height;
    return most * tanhf(0.70f * gap / most);
}

/* Vertical scale of the lower layer at a node when the lips are `gap` apart: at 0 the layer folds. */
static float vertical_scale(const sonic_warp_field *field, const sonic_face_frame *f, int32_t column, int32_t row,
                            float gap)
{
    size_t nodes = node_count(&field->grid), node = node_index(&field->grid, column, row);
    const float *open = field->basis + SONIC_BASIS_OPEN * SONIC_COMPONENTS * nodes;
    const float *chin = field->basis + SONIC_BASIS_CHIN * SONIC_COMPONENTS * nodes;
    float chin_px = chin_gain(gap, f->height), v[3];
    size_t at[3] = {node, node + 1, node + (size_t)field->grid.columns};
    for (int32_t i = 0; i < 3; i++) {
        float x = gap * open[SONIC_LOWER_X * nodes + at[i]] + chin_px * chin[SONIC_LOWER_X * nodes + at[i]];
        float y = gap * open[SONIC_LOWER_Y * nodes + at[i]] + chin_px * chin[SONIC_LOWER_Y * nodes + at[i]];
        v[i] = x * f->vx + y * f->vy;
    }
    return 1.0f + ((v[1] - v[0]) * f->vx + (v[2] - v[0]) * f->vy) / (float)field->grid.step;
}

static int would_fold(const sonic_warp_field *field, const sonic_face_frame *f, float gap)
{
    for (int32_t row = 0; row + 1 < field->grid.rows; row++)
        for (int32_t column = 0; column + 1 < field->grid.columns; column++)
            if (vertical_scale(field, f, column, row, gap) < 0.15f)
                return 1;
    return 0;
}

/* A short or hidden chin has no room for the widest mouth. */
static float widest_gap(const sonic_warp_field *field, const sonic_face_frame *f)
{
    float gap = 0.2f * f->height;
    while (gap > 0.04f * f->height && would_fold(field, f, gap))
        gap *= 0.94f;
    return gap;
}

sonic_status sonic_warp_field_build(sonic_warp_field *field, const sonic_face_frame *frame, const sonic_lip_line *line,
                                    const sonic_outline *outline, const sonic_warp_window *window, int32_t width,
                                    int32_t height)
{
    portrait portrait = {frame, line, outline, window, (float)(width - 1), (float)(height - 1)};
    int32_t step = (int32_t)sonic_clampf(frame->height / 72.0f, 2.0f, 64.0f);
    sonic_warp_grid grid = {(width + step - 1) / step + 1, (height + step - 1) / step + 1, step};
    size_t nodes = node_count(&grid);
    field->grid = grid;
    field->basis = calloc(nodes * SONIC_BASIS_COUNT * SONIC_COMPONENTS, sizeof(float));
    field->sway = calloc(nodes, sizeof(float));
    if (!field->basis || !field->sway)
        return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: there is no memory for its displacement fields");
    for (int32_t row = 0; row < grid.rows; row++)
        for (int32_t column = 0; column < grid.columns; column++)
            build_node(field, &portrait, column, row);
    field->widest_gap = widest_gap(field, frame);
    field->own_gap = sonic_lip_line_parting(line, 0.5f * (frame->left + frame->right));
    return SONIC_OK;
}

/* x, compressed above 70 % of `most` so that it stays below `most`. */
static float soft_limit(float x, float most)
{
    float linear = 0.7f * most, room = 0.3f * most;
    return x <= linear ? x : linear + room * tanhf((x - linear) / room);
}

/* Poses are in the mesh's measure: MediaPipe's mesh measures about half of the drawn distance of the corners (0.14 to
 * 0.6 of it on nine portraits). The limits keep cheeks from looking stretched, which happens earlier for a smile. */
static float drawn_width(const sonic_face_frame *f, float commanded)
{
    const float gain = 1.7f, narrowest = 0.2f, widest = 0.15f;
    float smile = sonic_clampf(((f->right - f->left) / f->height - 0.36f) / 0.08f, 0.0f, 1.0f);
    float wide = gain * sonic_clampf(commanded, -0.3f, 0.3f);
    return wide < 0.0f ? -soft_limit(-wide, narrowest) : soft_limit(wide, widest * (1.0f - 0.6f * smile));
}

sonic_warp_motion sonic_warp_motion_from_pose(const sonic_warp_field *field, const sonic_face_frame *f,
                                              const float *pose)
{
    sonic_warp_motion m;
    memset(&m, 0, sizeof m);
    m.gap_px =
        soft_limit(sonic_clampf(pose[SONIC_POSE_OPENING], 0.0f, 0.2f) * f->opening_gain * f->height, field->widest_gap);
    m.rounding = sonic_clampf(pose[SONIC_POSE_ROUNDING], 0.0f, 1.0f);
    m.press = sonic_clampf(pose[SONIC_POSE_PRESS], 0.0f, 1.0f);
    m.blink = sonic_clampf(pose[SONIC_POSE_BLINK], 0.0f, 1.0f);
    float own = field->own_gap, further = fmaxf(m.gap_px - own, 0.0f);
    m.gain[SONIC_BASIS_OPEN] = further * (1.0f - 0.8f * m.rounding);
    m.gain[SONIC_BASIS_HOLE] = further * 0.8f * m.rounding;
    m.gain[SONIC_BASIS_CLOSE] = own > m.gap_px ? 1.0f - m.gap_px / own : 0.0f;
    m.gain[SONIC_BASIS_CHIN] = chin_gain(m.gap_px, f->height) - chin_gain(own, f->height);
    m.gain[SONIC_BASIS_WIDTH] = drawn_width(f, pose[SONIC_POSE_WIDTH]);
    m.gain[SONIC_BASIS_ROUND] = m.rounding;
    m.gain[SONIC_BASIS_PRESS] = m.press;
    m.sway_x = sonic_clampf(pose[SONIC_POSE_SWAY_X], -0.1f, 0.1f) * f->height;
    m.sway_y = sonic_clampf(pose[SONIC_POSE_SWAY_Y], -0.1f, 0.1f) * f->height;
    float roll = sonic_clampf(pose[SONIC_POSE_ROLL], -0.15f, 0.15f);
    m.cosine = cosf(roll), m.sine = sinf(roll);
    m.pivot_x = f->origin_x + f->vx * (f->chin + 0.15f * f->height);
    m.pivot_y = f->origin_y + f->vy * (f->chin + 0.15f * f->height);
    return m;
}

static void sway_node(float *dx, float *dy, float x, float y, float share, const sonic_warp_motion *m)
{
    float at_x = x + *dx - m->pivot_x, at_y = y + *dy - m->pivot_y;
    *dx += share * (m->cosine * at_x - m->sine * at_y + m->sway_x - at_x);
    *dy += share * (m->sine * at_x + m->cosine * at_y + m->sway_y - at_y);
}

void sonic_warp_field_combine_row(float *forward, const sonic_warp_field *field, const sonic_warp_motion *motion,
                                  int32_t row)
{
    const sonic_warp_grid *grid = &field->grid;
    size_t nodes = node_count(grid), start = (size_t)row * (size_t)grid->columns;
    for (int32_t component = 0; component < SONIC_COMPONENTS; component++) {
        float *out = forward + (size_t)component * nodes + start;
        memset(out, 0, (size_t)grid->columns * sizeof(float));
        for (int32_t k = 0; k < SONIC_BASIS_COUNT; k++) {
            const float *basis = field->basis + ((size_t)k * SONIC_COMPONENTS + (size_t)component) * nodes + start;
            float gain = motion->gain[k];
            if (gain != 0.0f)
                for (int32_t i = 0; i < grid->columns; i++)
                    out[i] += gain * basis[i];
        }
    }
    if (motion->sway_x == 0.0f && motion->sway_y == 0.0f && motion->sine == 0.0f)
        return;
    float y = (float)(row * grid->step);
    for (int32_t i = 0; i < grid->columns; i++) {
        float share = field->sway[start + (size_t)i], x = (float)(i * grid->step);
        float *at = forward + start + (size_t)i;
        sway_node(at + SONIC_UPPER_X * nodes, at + SONIC_UPPER_Y * nodes, x, y, share, motion);
        sway_node(at + SONIC_LOWER_X * nodes, at + SONIC_LOWER_Y * nodes, x, y, share, motion);
    }
}

/* Forward displacement in px at a point given in grid steps, with its derivatives per step: y_x is dy/dx. */
typedef struct jet {
    float x, y, x_x, x_y, y_x, y_y;
} jet;

static jet forward_at(const float *fx, const float *fy, const sonic_warp_grid *g, float x, float y)
{
    x = sonic_clampf(x, 0.0f, (float)(g->columns - 1)), y = sonic_clampf(y, 0.0f, (float)(g->rows - 1));
    int32_t i = (int32_t)x, j = (int32_t)y;
    i -= i > g->columns - 2, j -= j > g->rows - 2;
    float a = x - (float)i, b = y - (float)j;
    const float *p = fx + (size_t)j * (size_t)g->columns + (size_t)i,
                *q = fy + (size_t)j * (size_t)g->columns + (size_t)i;
    int32_t down = g->columns;
    jet r;
    float top = p[0] + a * (p[1] - p[0]), bottom = p[down] + a * (p[down + 1] - p[down]);
    r.x = top + b * (bottom - top), r.x_y = bottom - top;
    r.x_x = (p[1] - p[0]) * (1.0f - b) + (p[down + 1] - p[down]) * b;
    top = q[0] + a * (q[1] - q[0]), bottom = q[down] + a * (q[down + 1] - q[down]);
    r.y = top + b * (bottom - top), r.y_y = bottom - top;
    r.y_x = (q[1] - q[0]) * (1.0f - b) + (q[down + 1] - q[down]) * b;
    return r;
}

static void invert_node(float *out_x, float *out_y, const float *fx, const float *fy, const sonic_warp_grid *g,
                        int32_t column, int32_t row)
{
    float scale = 1.0f / (float)g->step, target_x = (float)column, target_y = (float)row;
    float x = target_x - *out_x * scale, y = target_y - *out_y * scale;
    for (int32_t i = 0; i < 6; i++) {
        jet f = forward_at(fx, fy, g, x, y);
        float rx = x + f.x * scale - target_x, ry = y + f.y * scale - target_y;
        if (fabsf(rx) + fabsf(ry) < 1e-4f)
            break;
        float a = 1.0f + f.x_x * scale, b = f.x_y * scale, c = f.y_x * scale, d = 1.0f + f.y_y * scale;
        float det = fmaxf(a * d - b * c, 0.15f);
        x -= sonic_clampf((d * rx - b * ry) / det, -4.0f, 4.0f);
        y -= sonic_clampf((a * ry - c * rx) / det, -4.0f, 4.0f);
    }
    *out_x = (x - target_x) * (float)g->step;
    *out_y = (y - target_y) * (float)g->step;
}

void sonic_warp_field_invert_row(float *inverse, const float *forward, const sonic_warp_grid *grid, int32_t row)
{
    size_t nodes = node_count(grid), start = (size_t)row * (size_t)grid->columns;
    for (int32_t layer = 0; layer < 2; layer++) {
        const float *fx = forward + (size_t)(2 * layer) * nodes, *fy = fx + nodes;
        float *out_x = inverse + (size_t)(2 * layer) * nodes + start, *out_y = out_x + nodes;
        for (int32_t i = 0; i < grid->columns; i++) {
            out_x[i] = fx[start + (size_t)i], out_y[i] = fy[start + (size_t)i];
            invert_node(out_x + i, out_y + i, fx, fy, grid, i, row);
        }
    }
}
