#include "draft/seam.h"

#include <math.h>
#include <stdlib.h>

/* Inner outline of the lips from the left corner to the right one (MediaPipe's face mesh). */
enum { LIP_POINTS = 11 };
static const int32_t upper_inner[LIP_POINTS] = {78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308};
static const int32_t lower_inner[LIP_POINTS] = {78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308};

static void curve_of(float *u, float *v, const sonic_face_frame *f, const float *mesh, const int32_t *points)
{
    for (int32_t i = 0; i < LIP_POINTS; i++) {
        const float *p = mesh + 3 * points[i];
        u[i] = sonic_frame_u(f, p[0], p[1]), v[i] = sonic_frame_v(f, p[0], p[1]);
        if (i && u[i] < u[i - 1] + 0.01f)
            u[i] = u[i - 1] + 0.01f;
    }
}

static float curve_at(const float *u, const float *v, float at)
{
    int32_t i = 1;
    while (i < LIP_POINTS - 1 && u[i] < at)
        i++;
    float part = (at - u[i - 1]) / (u[i] - u[i - 1]);
    part = part < -1.0f ? -1.0f : part > 2.0f ? 2.0f : part;
    return v[i - 1] + part * (v[i] - v[i - 1]);
}

static void blur(float *v, float *scratch, int32_t count, int32_t radius)
{
    for (int32_t i = 0; i < count; i++) {
        float sum = 0.0f;
        for (int32_t k = -radius; k <= radius; k++) {
            int32_t at = i + k < 0 ? 0 : i + k >= count ? count - 1 : i + k;
            sum += v[at];
        }
        scratch[i] = sum / (float)(2 * radius + 1);
    }
    for (int32_t i = 0; i < count; i++)
        v[i] = scratch[i];
}

sonic_status sonic_seam_build(sonic_draft_rig *rig, const float *mesh)
{
    const sonic_face_frame *f = &rig->frame;
    sonic_seam *seam = &rig->seam;
    int32_t margin = (int32_t)(0.5f * f->height) + 2;
    seam->first_u = floorf(f->left) - (float)margin;
    seam->count = (int32_t)(ceilf(f->right) - floorf(f->left)) + 2 * margin + 1;
    seam->v = malloc((size_t)seam->count * sizeof(float));
    float *scratch = malloc((size_t)seam->count * sizeof(float));
    if (!seam->v || !scratch) {
        free(scratch);
        return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: there is no memory for the line of its lips");
    }
    float upper_u[LIP_POINTS], upper_v[LIP_POINTS], lower_u[LIP_POINTS], lower_v[LIP_POINTS];
    curve_of(upper_u, upper_v, f, mesh, upper_inner);
    curve_of(lower_u, lower_v, f, mesh, lower_inner);
    float lean = rig->interior.has_teeth ? 1.0f : 0.5f;
    for (int32_t i = 0; i < seam->count; i++) {
        float u = seam->first_u + (float)i;
        float high = curve_at(upper_u, upper_v, u), low = curve_at(lower_u, lower_v, u);
        seam->v[i] = high + lean * (low - high);
    }
    int32_t radius = (int32_t)(0.012f * f->height) + 1;
    blur(seam->v, scratch, seam->count, radius);
    blur(seam->v, scratch, seam->count, radius);
    free(scratch);
    return SONIC_OK;
}
