#include "draft/render/render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/scalar.h"
#include "draft/render/rig_internal.h"

/* A frame being drawn. */
typedef struct frame {
    const sonic_draft_rig *rig;
    sonic_warp_motion motion;
    float *forward, *inverse; /* [SONIC_COMPONENTS, rows, columns] */
    uint8_t *out;             /* [height, width, 3] */
} frame;

/* Frames per batch: threads synchronise rarely, and a large image still reacts to a cancel soon. */
enum { BATCH_FRAMES = 8, BATCH_PIXELS = 1 << 21 };

/* Share of the lower layer `below` px under the lip line. */
static float lower_share(float below, float softness) { return sonic_clamp01(0.5f + below / softness); }

static void skull_place(sonic_mouth_place *place, const frame *f, float x, float y)
{
    const sonic_warp_motion *m = &f->motion;
    float dx = x - m->pivot_x - m->sway_x, dy = y - m->pivot_y - m->sway_y;
    float sx = m->pivot_x + m->cosine * dx + m->sine * dy, sy = m->pivot_y - m->sine * dx + m->cosine * dy;
    place->skull_u = sonic_face_frame_u(&f->rig->frame, sx, sy),
    place->skull_v = sonic_face_frame_v(&f->rig->frame, sx, sy);
}

static uint8_t to_byte(float x) { return x <= 0.0f ? 0 : x >= 255.0f ? 255 : (uint8_t)(x + 0.5f); }

/* Shade of the line between lips that were parted in a frame of a clip and are closed now. */
static float crease_between(const sonic_draft_rig *rig, const sonic_warp_motion *m, const sonic_mouth_place *place)
{
    float closed = sonic_clamp01(4.0f * m->gain[SONIC_BASIS_CLOSE] - 3.0f), height = rig->frame.height;
    if (closed <= 0.0f)
        return 0.0f;
    float away = place->over_lower / (0.005f * height);
    float parting = sonic_lip_line_parting(&rig->lip_line, place->jaw_u);
    return 0.22f * closed * sonic_smoothstep(parting / (0.02f * height)) * expf(-away * away);
}

/* A pixel of the mouth: upper layer, lower layer and the interior between them. `d` holds the inverse displacements. */
static void mouth_pixel(uint8_t *out, const frame *f, float x, float y, const float d[SONIC_COMPONENTS])
{
    const sonic_draft_rig *rig = f->rig;
    const sonic_face_frame *face = &rig->frame;
    float ux = x + d[SONIC_UPPER_X], uy = y + d[SONIC_UPPER_Y], lx = x + d[SONIC_LOWER_X], ly = y + d[SONIC_LOWER_Y];
    sonic_mouth_place place;
    place.upper_u = sonic_face_frame_u(face, ux, uy), place.jaw_u = sonic_face_frame_u(face, lx, ly);
    place.under_upper = sonic_face_frame_v(face, ux, uy) - sonic_lip_line_v(&rig->lip_line, place.upper_u);
    place.over_lower = sonic_lip_line_v(&rig->lip_line, place.jaw_u) - sonic_face_frame_v(face, lx, ly);
    /* Parted lips hide the pixels next to the lip line, which mix both sides. */
    float softness = rig->interior.softness, gap = place.under_upper + place.over_lower,
          hidden = fminf(0.2f * fmaxf(gap, 0.0f), softness);
    place.over_lower += hidden, place.under_upper += 0.4f * hidden;
    float lower = lower_share(-place.over_lower, softness), upper = 1.0f - lower_share(place.under_upper, softness);
    upper = upper < 1.0f - lower ? upper : 1.0f - lower;
    float rest = 1.0f - lower - upper, sum[4] = {0.0f, 0.0f, 0.0f, 0.0f}, color[4];
    if (lower > 0.0f) {
        sonic_bicubic_sample(color, &rig->texture, lx, ly);
        for (int32_t c = 0; c < 3; c++)
            sum[c] += lower * color[c];
    }
    if (upper > 0.0f) {
        sonic_bicubic_sample(color, &rig->texture, ux, uy);
        for (int32_t c = 0; c < 3; c++)
            sum[c] += upper * color[c];
    }
    if (rest > 1e-4f) {
        skull_place(&place, f, x, y);
        sonic_mouth_color(color, &rig->interior, &rig->lips, face->height, &f->motion, &place);
        for (int32_t c = 0; c < 3; c++)
            sum[c] += rest * color[c];
    }
    float light = 1.0f - crease_between(rig, &f->motion, &place);
    for (int32_t c = 0; c < 3; c++)
        out[c] = to_byte(light * sum[c]);
}

/* Kinds of tiles, the squares between four nodes of the grid. */
enum { TILE_STILL, TILE_UPPER, TILE_LOWER, TILE_MOUTH, TILE_EYE }; /* TILE_EYE + index of the eye */

/* Extends lowest .. highest by how far a point of the frame lies below the lip line in either layer. */
static void below_lip_line(float *lowest, float *highest, const sonic_draft_rig *rig, float x, float y,
                           const float d[SONIC_COMPONENTS])
{
    for (int32_t layer = 0; layer < 2; layer++) {
        float at_x = x + d[2 * layer], at_y = y + d[2 * layer + 1];
        float below = sonic_face_frame_v(&rig->frame, at_x, at_y) -
                      sonic_lip_line_v(&rig->lip_line, sonic_face_frame_u(&rig->frame, at_x, at_y));
        *lowest = below < *lowest ? below : *lowest, *highest = below > *highest ? below : *highest;
    }
}

/* Which layers a tile shows, from the displacements `corner` [4, SONIC_COMPONENTS] at its corners. */
static int tile_kind(const frame *f, float x, float y, const float corner[4][SONIC_COMPONENTS])
{
    float moved = 0.0f, step = (float)f->rig->field.grid.step, lowest = 1e30f, highest = -1e30f;
    for (int32_t k = 0; k < 4; k++)
        for (int32_t c = 0; c < SONIC_COMPONENTS; c++)
            moved += fabsf(corner[k][c]);
    if (f->motion.blink > 0.0f) {
        float near_x = x + corner[0][SONIC_UPPER_X], near_y = y + corner[0][SONIC_UPPER_Y];
        int32_t eye =
            sonic_eyes_meet(f->rig->eyes, near_x - step, near_y - step, near_x + 2.0f * step, near_y + 2.0f * step);
        if (eye >= 0)
            return TILE_EYE + eye;
    }
    if (moved < 1e-3f)
        return TILE_STILL;
    below_lip_line(&lowest, &highest, f->rig, x, y, corner[0]);
    float far_away = f->rig->interior.softness + 6.0f * step; /* the other corners cannot differ */
    if (lowest > far_away || highest < -far_away)
        return lowest > 0.0f ? TILE_LOWER : TILE_UPPER;
    for (int32_t k = 1; k < 4; k++)
        below_lip_line(&lowest, &highest, f->rig, x + (k & 1 ? step : 0.0f), y + (k & 2 ? step : 0.0f), corner[k]);
    float margin = 1.0f + f->rig->interior.softness + 0.5f * step;
    return lowest > margin ? TILE_LOWER : highest < -margin ? TILE_UPPER : TILE_MOUTH;
}

/* Pixels [from, to) of one row of a tile, whose displacement goes from `left` to `right` over the tile. */
static void plain_row(const frame *f, int32_t layer, int32_t y, int32_t from, int32_t to, const float *left,
                      const float *right)
{
    const sonic_texture *t = &f->rig->texture;
    uint8_t *out = f->out + ((size_t)y * (size_t)t->width + (size_t)from) * 3;
    float scale = 1.0f / (float)f->rig->field.grid.step, at_x = (float)from + left[layer],
          at_y = (float)y + left[layer + 1];
    float step_x = 1.0f + (right[layer] - left[layer]) * scale, step_y = (right[layer + 1] - left[layer + 1]) * scale;
    for (int32_t i = 0; i < to - from; i++, out += 3)
        sonic_vec4_to_bytes(out, sonic_bicubic_sample_vec4(t, at_x + (float)i * step_x, at_y + (float)i * step_y));
}

/* The same in tiles where layers meet or a lid moves. */
static void mixed_row(const frame *f, int kind, int32_t y, int32_t from, int32_t to, const float *left,
                      const float *right)
{
    const sonic_draft_rig *rig = f->rig;
    uint8_t *out = f->out + ((size_t)y * (size_t)rig->texture.width + (size_t)from) * 3;
    float scale = 1.0f / (float)rig->field.grid.step;
    for (int32_t x = from; x < to; x++, out += 3) {
        float part = (float)(x - from) * scale, d[SONIC_COMPONENTS], color[4];
        for (int32_t c = 0; c < SONIC_COMPONENTS; c++)
            d[c] = left[c] + part * (right[c] - left[c]);
        if (kind == TILE_MOUTH) {
            mouth_pixel(out, f, (float)x, (float)y, d);
            continue;
        }
        sonic_eye_sample(color, &rig->eyes[kind - TILE_EYE], &rig->texture, rig->interior.softness, f->motion.blink,
                         (float)x + d[SONIC_UPPER_X], (float)y + d[SONIC_UPPER_Y]);
        for (int32_t c = 0; c < 3; c++)
            out[c] = to_byte(color[c]);
    }
}

static void draw_tile(const frame *f, int32_t column, int32_t row)
{
    const sonic_draft_rig *rig = f->rig;
    const sonic_warp_grid *g = &rig->field.grid;
    size_t nodes = (size_t)g->columns * (size_t)g->rows, node = (size_t)row * (size_t)g->columns + (size_t)column;
    float corner[4][SONIC_COMPONENTS];
    for (int32_t c = 0; c < SONIC_COMPONENTS; c++) {
        const float *p = f->inverse + (size_t)c * nodes + node;
        corner[0][c] = p[0], corner[1][c] = p[1], corner[2][c] = p[g->columns], corner[3][c] = p[g->columns + 1];
    }
    int32_t x = column * g->step, y = row * g->step;
    int32_t right = x + g->step < rig->texture.width ? x + g->step : rig->texture.width;
    int32_t bottom = y + g->step < rig->texture.height ? y + g->step : rig->texture.height;
    int kind = tile_kind(f, (float)x, (float)y, (const float (*)[SONIC_COMPONENTS])corner);
    for (int32_t at = y; at < bottom; at++) {
        if (kind == TILE_STILL) {
            size_t offset = ((size_t)at * (size_t)rig->texture.width + (size_t)x) * 3;
            memcpy(f->out + offset, rig->image + offset, (size_t)(right - x) * 3);
            continue;
        }
        float part = (float)(at - y) / (float)g->step, sides[2][SONIC_COMPONENTS];
        for (int32_t c = 0; c < SONIC_COMPONENTS; c++) {
            sides[0][c] = corner[0][c] + part * (corner[2][c] - corner[0][c]);
            sides[1][c] = corner[1][c] + part * (corner[3][c] - corner[1][c]);
        }
        if (kind == TILE_UPPER || kind == TILE_LOWER)
            plain_row(f, kind == TILE_LOWER ? SONIC_LOWER_X : SONIC_UPPER_X, at, x, right, sides[0], sides[1]);
        else
            mixed_row(f, kind, at, x, right, sides[0], sides[1]);
    }
}

static void solve_frames(int64_t begin, int64_t end, void *context)
{
    frame *frames = context;
    for (frame *f = frames + begin; f < frames + end; f++) {
        for (int32_t row = 0; row < f->rig->field.grid.rows; row++)
            sonic_warp_field_combine_row(f->forward, &f->rig->field, &f->motion, row);
        for (int32_t row = 0; row < f->rig->field.grid.rows; row++)
            sonic_warp_field_invert_row(f->inverse, f->forward, &f->rig->field.grid, row);
    }
}

/* Rows of tiles of all frames, one after the other. */
static void draw_rows(int64_t begin, int64_t end, void *context)
{
    const frame *frames = context;
    const sonic_warp_grid *g = &frames->rig->field.grid;
    for (int64_t i = begin; i < end; i++)
        for (int32_t column = 0; column + 1 < g->columns; column++)
            draw_tile(frames + i / (g->rows - 1), column, (int32_t)(i % (g->rows - 1)));
}

static sonic_status check_poses(const float *poses, int64_t count)
{
    for (int64_t i = 0; i < count * SONIC_POSE_COUNT; i++)
        if (!isfinite(poses[i]))
            return sonic_fail(SONIC_ERROR_ARGUMENT, "Give finite poses: value %d of frame %lld is not a number",
                              (int)(i % SONIC_POSE_COUNT), (long long)(i / SONIC_POSE_COUNT));
    return SONIC_OK;
}

static int32_t batch_frames(const sonic_draft_rig *rig, int64_t count)
{
    int64_t most = BATCH_PIXELS / ((int64_t)rig->texture.width * rig->texture.height);
    most = most < 1 ? 1 : most > BATCH_FRAMES ? BATCH_FRAMES : most;
    return (int32_t)(most < count ? most : count);
}

static sonic_status render_batches(uint8_t *out, const sonic_draft_rig *rig, const float *poses, int64_t count,
                                   int32_t step, float *scratch, sonic_progress_fn progress, void *context)
{
    size_t field = (size_t)rig->field.grid.columns * (size_t)rig->field.grid.rows * SONIC_COMPONENTS;
    size_t bytes = (size_t)rig->texture.width * (size_t)rig->texture.height * 3;
    frame frames[BATCH_FRAMES];
    for (int64_t done = 0; done < count;) {
        int32_t now = count - done < step ? (int32_t)(count - done) : step;
        for (int32_t i = 0; i < now; i++) {
            frame f = {rig,
                       sonic_warp_motion_from_pose(&rig->field, &rig->frame, poses + (done + i) * SONIC_POSE_COUNT),
                       scratch + (size_t)(2 * i) * field, scratch + (size_t)(2 * i + 1) * field,
                       out + (size_t)(done + i) * bytes};
            frames[i] = f;
        }
        sonic_parallel_for(now, 1, solve_frames, frames);
        sonic_parallel_for((int64_t)now * (rig->field.grid.rows - 1), 4, draw_rows, frames);
        done += now;
        if (progress && progress(context, done, count))
            return sonic_fail(SONIC_ERROR_CANCELLED, "Cancelled after %lld of %lld frames", (long long)done,
                              (long long)count);
    }
    return SONIC_OK;
}

sonic_status sonic_draft_render(uint8_t *frames, const sonic_draft_rig *rig, const float *poses, int64_t count,
                                sonic_progress_fn progress, void *context)
{
    sonic_status status = check_poses(poses, count);
    if (status || !count)
        return status;
    int32_t step = batch_frames(rig, count);
    size_t field = (size_t)rig->field.grid.columns * (size_t)rig->field.grid.rows * SONIC_COMPONENTS;
    float *scratch = malloc((size_t)(2 * step) * field * sizeof(float));
    if (!scratch)
        return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: there is no memory for its displacement fields");
    status = render_batches(frames, rig, poses, count, step, scratch, progress, context);
    free(scratch);
    return status;
}
