#include "draft/render/rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/scalar.h"
#include "draft/render/eyes.h"
#include "draft/render/warp_field.h"
#include "draft/render/mouth.h"
#include "draft/render/outline.h"
#include "draft/render/rig_parts.h"
#include "draft/render/lip_line.h"
#include "face/landmarks.h"

enum { SMALLEST_SIDE_PX = 16, LARGEST_SIDE_PX = 8192 };

static const float *point(const float *mesh, int32_t index) { return mesh + 3 * index; }

static float distance(const float *mesh, int32_t a, int32_t b)
{
    const float *p = point(mesh, a), *q = point(mesh, b);
    return sqrtf((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]));
}

static float face_height(const float *mesh) { return distance(mesh, SONIC_LANDMARK_FOREHEAD, SONIC_LANDMARK_CHIN); }

static float mouth_width(const float *mesh)
{
    return distance(mesh, SONIC_LANDMARK_MOUTH_LEFT, SONIC_LANDMARK_MOUTH_RIGHT);
}

static float point_u(const sonic_face_frame *f, const float *mesh, int32_t index)
{
    return sonic_frame_u(f, point(mesh, index)[0], point(mesh, index)[1]);
}

static float point_v(const sonic_face_frame *f, const float *mesh, int32_t index)
{
    return sonic_frame_v(f, point(mesh, index)[0], point(mesh, index)[1]);
}

static sonic_status check_image(sonic_image image)
{
    if (image.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give the portrait as [height, width, 3] RGB. It has %d channels",
                          image.channels);
    int32_t small = image.width_px < image.height_px ? image.width_px : image.height_px;
    int32_t large = image.width_px < image.height_px ? image.height_px : image.width_px;
    if (small < SMALLEST_SIDE_PX || large > LARGEST_SIDE_PX)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give a portrait of %d to %d pixels a side. It has %d x %d",
                          SMALLEST_SIDE_PX, LARGEST_SIDE_PX, image.width_px, image.height_px);
    return SONIC_OK;
}

static sonic_status check_mesh(const float *mesh, sonic_image image)
{
    float limit = 4.0f * (float)(image.width_px + image.height_px);
    for (int32_t i = 0; i < SONIC_MESH_POINTS; i++)
        if (!(fabsf(point(mesh, i)[0]) < limit) || !(fabsf(point(mesh, i)[1]) < limit))
            return sonic_fail(SONIC_ERROR_ARGUMENT,
                              "Find the face again: point %d of its mesh is (%g, %g) in a picture of %d x %d px", i,
                              (double)point(mesh, i)[0], (double)point(mesh, i)[1], image.width_px, image.height_px);
    float height = face_height(mesh), mouth = mouth_width(mesh);
    if (!(height >= 12.0f) || !(mouth >= 3.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a picture with a larger face: this one is %.1f px high, its mouth %.1f px wide",
                          (double)height, (double)mouth);
    const float *left = point(mesh, SONIC_LANDMARK_MOUTH_LEFT), *right = point(mesh, SONIC_LANDMARK_MOUTH_RIGHT);
    float x = 0.5f * (left[0] + right[0]), y = 0.5f * (left[1] + right[1]);
    if (x < 0.0f || y < 0.0f || x > (float)image.width_px || y > (float)image.height_px)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a picture that shows the mouth: it lies at (%.0f, %.0f), outside %d x %d px",
                          (double)x, (double)y, image.width_px, image.height_px);
    return SONIC_OK;
}

/* Poses are in the mesh's terms, and what MediaPipe's mesh reads of a parting depends on the head: measured on twelve
 * portraits, the same parting reads as 1.3 of itself on a head tilted back (chin nearer than forehead by 0.28 face
 * heights), 0.65 on one tilted forward by 0.16, 0.4 by 0.4, and less than that on a broad smile. The inverse, within
 * what looks natural. */
static float reading_of(const float *mesh, float height)
{
    float tilt = (point(mesh, SONIC_LANDMARK_CHIN)[2] - point(mesh, SONIC_LANDMARK_FOREHEAD)[2]) / height;
    float smile = mouth_width(mesh) / height;
    tilt = isfinite(tilt) ? tilt : 0.0f;
    float gain = expf(1.45f * (tilt + 0.07f)) * (1.0f + 8.0f * fminf(fmaxf(smile - 0.385f, 0.0f), 0.07f));
    return fminf(fmaxf(gain, 0.82f), 2.0f);
}

static sonic_status build_frame(sonic_face_frame *f, const float *mesh)
{
    const float *top = point(mesh, SONIC_LANDMARK_FOREHEAD), *chin = point(mesh, SONIC_LANDMARK_CHIN);
    const float *upper = point(mesh, SONIC_LANDMARK_LIP_UPPER), *lower = point(mesh, SONIC_LANDMARK_LIP_LOWER);
    f->height = face_height(mesh);
    f->vx = (chin[0] - top[0]) / f->height, f->vy = (chin[1] - top[1]) / f->height;
    f->ux = f->vy, f->uy = -f->vx;
    f->origin_x = 0.5f * (upper[0] + lower[0]), f->origin_y = 0.5f * (upper[1] + lower[1]);
    f->left = 0.5f * (point_u(f, mesh, SONIC_LANDMARK_MOUTH_LEFT) + point_u(f, mesh, SONIC_LANDMARK_MOUTH_LEFT_INNER));
    f->right =
        0.5f * (point_u(f, mesh, SONIC_LANDMARK_MOUTH_RIGHT) + point_u(f, mesh, SONIC_LANDMARK_MOUTH_RIGHT_INNER));
    f->chin = point_v(f, mesh, SONIC_LANDMARK_CHIN);
    f->nose = point_v(f, mesh, SONIC_LANDMARK_NOSE_BASE);
    f->reading = reading_of(mesh, f->height);
    f->upper_lip = fmaxf(distance(mesh, SONIC_LANDMARK_LIP_TOP, SONIC_LANDMARK_LIP_UPPER), 1.0f);
    f->lower_lip = fmaxf(distance(mesh, SONIC_LANDMARK_LIP_LOWER, SONIC_LANDMARK_LIP_BOTTOM), 1.0f);
    if (!(f->left < -1.0f) || !(f->right > 1.0f) || !(f->chin > 0.08f * f->height) || !(f->nose < 0.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a picture that shows the face from the front: mouth from %.1f to %.1f, nose at "
                          "%.1f, chin at %.1f px are not those of a face",
                          (double)f->left, (double)f->right, (double)f->nose, (double)f->chin);
    return SONIC_OK;
}

static sonic_status copy_image(sonic_draft_rig *rig, sonic_image image)
{
    size_t width = (size_t)image.width_px, height = (size_t)image.height_px;
    sonic_texture *t = &rig->texture;
    t->width = image.width_px, t->height = image.height_px;
    t->stride = (ptrdiff_t)(4 * (width + 2 * SONIC_BORDER));
    rig->image = malloc(width * height * 3);
    t->pixels = malloc((size_t)t->stride * (height + 2 * SONIC_BORDER) * sizeof(float));
    if (!rig->image || !t->pixels)
        return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: there is no memory for %d x %d px",
                          image.width_px, image.height_px);
    for (size_t y = 0; y < height; y++)
        memcpy(rig->image + y * width * 3, image.data + (ptrdiff_t)y * image.stride, width * 3);
    for (int32_t y = -SONIC_BORDER; y < t->height + SONIC_BORDER; y++) {
        int32_t from_y = sonic_clamp_index(y, t->height);
        float *out = t->pixels + (ptrdiff_t)(y + SONIC_BORDER) * t->stride;
        for (int32_t x = -SONIC_BORDER; x < t->width + SONIC_BORDER; x++, out += 4) {
            int32_t from_x = sonic_clamp_index(x, t->width);
            const uint8_t *in = rig->image + ((size_t)from_y * width + (size_t)from_x) * 3;
            out[0] = in[0], out[1] = in[1], out[2] = in[2], out[3] = 0.0f;
        }
    }
    return SONIC_OK;
}

static sonic_status build(sonic_draft_rig *rig, sonic_image image, const float *mesh)
{
    sonic_status status = check_image(image);
    if (!status)
        status = check_mesh(mesh, image);
    if (!status)
        status = build_frame(&rig->frame, mesh);
    if (!status)
        status = copy_image(rig, image);
    if (status)
        return status;
    sonic_outline_build(&rig->outline, mesh);
    status = sonic_seam_build(rig, mesh);
    if (!status)
        status = sonic_field_build(rig);
    if (!status) {
        sonic_mouth_build(rig, mesh);
        sonic_eyes_build(rig, mesh);
    }
    return status;
}

sonic_status sonic_draft_rig_create(sonic_draft_rig **out, sonic_image image, const float *mesh)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is no memory for a rig");
    sonic_status status = build(*out, image, mesh);
    if (status) {
        sonic_draft_rig_free(*out);
        *out = NULL;
    }
    return status;
}

void sonic_draft_rig_free(sonic_draft_rig *rig)
{
    if (!rig)
        return;
    free(rig->seam.v);
    free(rig->basis);
    free(rig->sway);
    free(rig->texture.pixels);
    free(rig->image);
    free(rig);
}

int32_t sonic_draft_rig_width_px(const sonic_draft_rig *rig) { return rig->texture.width; }

int32_t sonic_draft_rig_height_px(const sonic_draft_rig *rig) { return rig->texture.height; }
