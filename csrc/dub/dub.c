#include "dub/dub.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/parallel.h"
#include "core/scalar.h"
#include "draft/render/face_frame.h"
#include "draft/render/render.h"
#include "face/landmarks.h"

enum { MESH_VALUES = 3 * SONIC_MESH_POINTS };

/* How far around the mesh's hull, relative to its size: beyond the outline grown by 12 %. */
static const float margin = 0.15f;

typedef struct box {
    int32_t left, top, right, bottom;
} box;

static box face_box(const float *mesh, int32_t width, int32_t height)
{
    float low[2] = {mesh[0], mesh[1]}, high[2] = {mesh[0], mesh[1]};
    for (int32_t i = 1; i < SONIC_MESH_POINTS; i++)
        for (int32_t axis = 0; axis < 2; axis++) {
            low[axis] = fminf(low[axis], mesh[3 * i + axis]);
            high[axis] = fmaxf(high[axis], mesh[3 * i + axis]);
        }
    float dx = margin * (high[0] - low[0]) + 4.0f, dy = margin * (high[1] - low[1]) + 4.0f;
    box b = {(int32_t)sonic_clampf(low[0] - dx, 0.0f, (float)width),
             (int32_t)sonic_clampf(low[1] - dy, 0, (float)height),
             (int32_t)sonic_clampf(high[0] + dx, 0.0f, (float)width),
             (int32_t)sonic_clampf(high[1] + dy, 0.0f, (float)height)};
    return b;
}

/* The pose without head motion and blinks, its width relative to the mouth at rest instead of to this frame's. */
static void frame_pose(float out[SONIC_POSE_COUNT], const float *pose, const float *mesh, double mouth_width)
{
    memcpy(out, pose, SONIC_POSE_COUNT * sizeof(float));
    out[SONIC_POSE_BLINK] = out[SONIC_POSE_SWAY_X] = out[SONIC_POSE_SWAY_Y] = out[SONIC_POSE_ROLL] = 0.0f;
    if (mouth_width > 0.0)
        out[SONIC_POSE_WIDTH] -= (float)(sonic_dub_mouth_width(mesh) / mouth_width - 1.0);
}

/* A frame's face, cut out: rows of the image, then those of the result. */
typedef struct cutout {
    box where;
    float mesh[MESH_VALUES];
    uint8_t *drawn; /* [height, width, 3] */
} cutout;

static sonic_status draw(cutout *cut, uint8_t *frame, int32_t frame_width, const float *pose)
{
    const box *b = &cut->where;
    int32_t width = b->right - b->left, height = b->bottom - b->top;
    ptrdiff_t stride = 3 * (ptrdiff_t)frame_width;
    uint8_t *first = frame + b->top * stride + 3 * (ptrdiff_t)b->left;
    sonic_image image = {first, width, height, 3, stride};
    sonic_draft_rig *rig = NULL;
    cut->drawn = malloc((size_t)width * (size_t)height * 3);
    sonic_status status = cut->drawn ? sonic_draft_rig_create_from_frame(&rig, image, cut->mesh) : SONIC_ERROR_MEMORY;
    if (!status)
        status = sonic_draft_render(cut->drawn, rig, pose, 1, NULL, NULL);
    for (int32_t y = 0; !status && y < height; y++)
        memcpy(first + y * stride, cut->drawn + (size_t)y * (size_t)width * 3, (size_t)width * 3);
    sonic_draft_rig_free(rig);
    free(cut->drawn);
    return status;
}

/* Frames drawn at once, and how each ended: errors of other threads have no text here. */
enum { BATCH = 64 };
typedef struct batch {
    const sonic_dub *dub;
    int64_t first;
    sonic_status status[BATCH];
} batch;

static void draw_range(int64_t begin, int64_t end, void *context)
{
    batch *b = context;
    const sonic_dub *d = b->dub;
    for (int64_t i = begin; i < end; i++) {
        const float *mesh = d->meshes + (b->first + i) * MESH_VALUES;
        float pose[SONIC_POSE_COUNT];
        cutout cut = {face_box(mesh, d->width_px, d->height_px), {0}, NULL};
        for (int32_t k = 0; k < MESH_VALUES; k += 3) {
            cut.mesh[k] = mesh[k] - (float)cut.where.left, cut.mesh[k + 1] = mesh[k + 1] - (float)cut.where.top;
            cut.mesh[k + 2] = mesh[k + 2];
        }
        frame_pose(pose, d->poses + (b->first + i) * SONIC_POSE_COUNT, mesh, d->mouth_width);
        uint8_t *frame = d->frames + (size_t)(b->first + i) * (size_t)d->height_px * (size_t)d->width_px * 3;
        b->status[i] = draw(&cut, frame, d->width_px, pose);
    }
}

sonic_status sonic_dub_check(const float *mesh, int32_t width_px, int32_t height_px)
{
    sonic_face_frame frame;
    return sonic_face_frame_build(&frame, mesh, width_px, height_px);
}

static sonic_status check_all(const sonic_dub *d)
{
    for (int64_t i = 0; i < d->count * SONIC_POSE_COUNT; i++)
        if (!isfinite(d->poses[i]))
            return sonic_fail(SONIC_ERROR_ARGUMENT, "Give finite poses: value %d of frame %lld is not a number",
                              (int)(i % SONIC_POSE_COUNT), (long long)(i / SONIC_POSE_COUNT));
    sonic_status status = SONIC_OK;
    for (int64_t i = 0; i < d->count && !status; i++)
        status = sonic_dub_check(d->meshes + i * MESH_VALUES, d->width_px, d->height_px);
    return status;
}

sonic_status sonic_dub_frames(const sonic_dub *dub)
{
    sonic_status status = check_all(dub);
    for (batch b = {dub, 0, {SONIC_OK}}; !status && b.first < dub->count; b.first += BATCH) {
        int64_t count = dub->count - b.first < BATCH ? dub->count - b.first : BATCH;
        sonic_parallel_for(count, 1, draw_range, &b);
        for (int64_t i = 0; i < count && !status; i++)
            if (b.status[i])
                status = sonic_fail(b.status[i],
                                    "Use a clip of smaller frames: the mouth of one could not be drawn "
                                    "(status %d)",
                                    (int)b.status[i]);
    }
    return status;
}

static double distance(const float *mesh, int32_t a, int32_t b)
{
    double x = mesh[3 * a] - mesh[3 * b], y = mesh[3 * a + 1] - mesh[3 * b + 1];
    return sqrt(x * x + y * y);
}

double sonic_dub_mouth_width(const float *mesh)
{
    return distance(mesh, SONIC_LANDMARK_MOUTH_LEFT, SONIC_LANDMARK_MOUTH_RIGHT) /
           fmax(distance(mesh, SONIC_LANDMARK_FOREHEAD, SONIC_LANDMARK_CHIN), 1e-6);
}
