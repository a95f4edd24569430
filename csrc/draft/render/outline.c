#include "draft/render/outline.h"

#include <math.h>
#include <stdint.h>

#include "face/landmarks.h"

#define PI 3.14159265358979f

static float direction_of(int32_t i) { return (float)i * (2.0f * PI / SONIC_OUTLINE_DIRECTIONS); }

/* Distance at which the ray from the centre along (dx, dy) leaves the convex hull: the polar of the support function,
 * min over normals n of h(n) / (n . d). */
static float ray_to_hull(const float *support, float dx, float dy)
{
    float best = 1e30f;
    for (int32_t i = 0; i < SONIC_OUTLINE_DIRECTIONS; i++) {
        float along = cosf(direction_of(i)) * dx + sinf(direction_of(i)) * dy;
        if (along > 0.05f)
            best = fminf(best, support[i] / along);
    }
    return best;
}

static float support_along(const float *mesh, const sonic_outline *o, float nx, float ny)
{
    float best = 0.0f;
    for (int32_t i = 0; i < SONIC_MESH_POINTS; i++)
        best = fmaxf(best, (mesh[3 * i] - o->x) * nx + (mesh[3 * i + 1] - o->y) * ny);
    return best;
}

void sonic_outline_build(sonic_outline *out, const float *mesh)
{
    float low_x = mesh[0], high_x = mesh[0], low_y = mesh[1], high_y = mesh[1];
    for (int32_t i = 1; i < SONIC_MESH_POINTS; i++) {
        low_x = fminf(low_x, mesh[3 * i]), high_x = fmaxf(high_x, mesh[3 * i]);
        low_y = fminf(low_y, mesh[3 * i + 1]), high_y = fmaxf(high_y, mesh[3 * i + 1]);
    }
    out->x = 0.5f * (low_x + high_x), out->y = 0.5f * (low_y + high_y);
    float support[SONIC_OUTLINE_DIRECTIONS];
    for (int32_t i = 0; i < SONIC_OUTLINE_DIRECTIONS; i++)
        support[i] = support_along(mesh, out, cosf(direction_of(i)), sinf(direction_of(i)));
    for (int32_t i = 0; i < SONIC_OUTLINE_DIRECTIONS; i++)
        out->radius[i] = fmaxf(ray_to_hull(support, cosf(direction_of(i)), sinf(direction_of(i))), 1.0f);
}

float sonic_outline_ratio(const sonic_outline *outline, float x, float y)
{
    float dx = x - outline->x, dy = y - outline->y;
    float at = atan2f(dy, dx) * (SONIC_OUTLINE_DIRECTIONS / (2.0f * PI));
    if (at < 0.0f)
        at += SONIC_OUTLINE_DIRECTIONS;
    int32_t i = (int32_t)at % SONIC_OUTLINE_DIRECTIONS, j = (i + 1) % SONIC_OUTLINE_DIRECTIONS;
    float part = at - floorf(at);
    return sqrtf(dx * dx + dy * dy) / (outline->radius[i] + part * (outline->radius[j] - outline->radius[i]));
}
