#include "draft/render/face_frame.h"

#include <math.h>

#include "face/landmarks.h"

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
    return sonic_face_frame_u(f, point(mesh, index)[0], point(mesh, index)[1]);
}

static float point_v(const sonic_face_frame *f, const float *mesh, int32_t index)
{
    return sonic_face_frame_v(f, point(mesh, index)[0], point(mesh, index)[1]);
}

static sonic_status check_mesh(const float *mesh, int32_t width_px, int32_t height_px)
{
    float limit = 4.0f * (float)(width_px + height_px);
    for (int32_t i = 0; i < SONIC_MESH_POINTS; i++)
        if (!(fabsf(point(mesh, i)[0]) < limit) || !(fabsf(point(mesh, i)[1]) < limit))
            return sonic_fail(SONIC_ERROR_ARGUMENT,
                              "Find the face again: point %d of its mesh is (%g, %g) in a picture of %d x %d px", i,
                              (double)point(mesh, i)[0], (double)point(mesh, i)[1], width_px, height_px);
    float height = face_height(mesh), mouth = mouth_width(mesh);
    if (!(height >= 12.0f) || !(mouth >= 3.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a picture with a larger face: this one is %.1f px high, its mouth %.1f px wide",
                          (double)height, (double)mouth);
    const float *left = point(mesh, SONIC_LANDMARK_MOUTH_LEFT), *right = point(mesh, SONIC_LANDMARK_MOUTH_RIGHT);
    float x = 0.5f * (left[0] + right[0]), y = 0.5f * (left[1] + right[1]);
    if (x < 0.0f || y < 0.0f || x > (float)width_px || y > (float)height_px)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a picture that shows the mouth: it lies at (%.0f, %.0f), outside %d x %d px",
                          (double)x, (double)y, width_px, height_px);
    return SONIC_OK;
}

/* Poses are in the mesh's measure, and how much of a parting MediaPipe's mesh measures depends on the head: on twelve
 * portraits 1.3 of it with the head tilted back (chin nearer than forehead by 0.28 face heights), 0.65 tilted forward
 * by 0.16, 0.4 by 0.4, and less on a broad smile. This is the inverse, limited to what looks natural. */
static float opening_gain(const float *mesh, float height)
{
    float tilt = (point(mesh, SONIC_LANDMARK_CHIN)[2] - point(mesh, SONIC_LANDMARK_FOREHEAD)[2]) / height;
    float smile = mouth_width(mesh) / height;
    tilt = isfinite(tilt) ? tilt : 0.0f;
    float gain = expf(1.45f * (tilt + 0.07f)) * (1.0f + 8.0f * fminf(fmaxf(smile - 0.385f, 0.0f), 0.07f));
    return fminf(fmaxf(gain, 0.82f), 2.0f);
}

sonic_status sonic_face_frame_build(sonic_face_frame *f, const float *mesh, int32_t width_px, int32_t height_px)
{
    sonic_status status = check_mesh(mesh, width_px, height_px);
    if (status)
        return status;
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
    f->opening_gain = opening_gain(mesh, f->height);
    f->upper_lip = fmaxf(distance(mesh, SONIC_LANDMARK_LIP_TOP, SONIC_LANDMARK_LIP_UPPER), 1.0f);
    f->lower_lip = fmaxf(distance(mesh, SONIC_LANDMARK_LIP_LOWER, SONIC_LANDMARK_LIP_BOTTOM), 1.0f);
    if (!(f->left < -1.0f) || !(f->right > 1.0f) || !(f->chin > 0.08f * f->height) || !(f->nose < 0.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a picture that shows the face from the front: mouth from %.1f to %.1f, nose at "
                          "%.1f, chin at %.1f px are not those of a face",
                          (double)f->left, (double)f->right, (double)f->nose, (double)f->chin);
    return SONIC_OK;
}
