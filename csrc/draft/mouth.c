#include "draft/mouth.h"

#include <math.h>

#include "draft/sample.h"

static float clampf(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

static float smooth(float x)
{
    x = clampf(x, 0.0f, 1.0f);
    return x * x * (3.0f - 2.0f * x);
}

static void mean_color(float *rgb, const sonic_draft_rig *rig, const float *mesh, const int32_t *points, int32_t count)
{
    rgb[0] = rgb[1] = rgb[2] = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        float one[4];
        sonic_sample(one, &rig->texture, mesh[3 * points[i]], mesh[3 * points[i] + 1]);
        for (int32_t c = 0; c < 3; c++)
            rgb[c] += one[c] / (float)count;
    }
}

void sonic_mouth_build(sonic_draft_rig *rig, const float *mesh)
{
    static const int32_t cheeks[] = {50, 280, 101, 330, 36, 266}, lips[] = {17, 85, 315, 16, 86, 316};
    sonic_interior *in = &rig->interior;
    float skin[3], lip[3];
    mean_color(skin, rig, mesh, cheeks, 6);
    mean_color(lip, rig, mesh, lips, 6);
    static const float dark[3] = {0.30f, 0.20f, 0.20f}, flesh[3] = {0.95f, 0.75f, 0.78f};
    float light = (0.3f * skin[0] + 0.59f * skin[1] + 0.11f * skin[2]) / 160.0f;
    static const float ivory[3] = {214.0f, 206.0f, 192.0f};
    for (int32_t c = 0; c < 3; c++) {
        in->cavity[c] = dark[c] * lip[c] * 0.75f;
        in->tongue[c] = clampf(flesh[c] * lip[c], 0.0f, 255.0f);
        in->gum[c] = in->tongue[c];
        in->teeth[c] = clampf(ivory[c] * clampf(light, 0.35f, 1.15f), 0.0f, 245.0f);
    }
    in->tooth_width = 0.068f * rig->frame.height;
    in->tooth_drop = 0.028f * rig->frame.height;
    in->softness = 1.2f;
}

void sonic_mouth_color(float *rgb, const sonic_draft_rig *rig, const sonic_motion *motion, const sonic_mouth_place *place)
{
    const sonic_interior *in = &rig->interior;
    const sonic_face_frame *f = &rig->frame;
    float across = place->skull_u / (place->skull_u < 0.0f ? -f->left : f->right);
    float shade = 0.75f + 0.25f * smooth(place->over_lower / (0.06f * f->height));
    float tongue = smooth(1.0f - place->over_lower / fmaxf(0.45f * motion->gap_px, 1.0f)) * smooth(1.2f - 1.4f * fabsf(across));
    float teeth = 0.0f;
    if (!in->has_teeth) {
        float below = place->skull_v - sonic_seam_v(&rig->seam, place->skull_u);
        float drop = in->tooth_drop * (1.0f - 0.45f * across * across);
        teeth = smooth((drop - below) / in->softness + 0.5f) * smooth((1.0f - fabsf(across)) * 3.0f);
    }
    float light = smooth(0.25f + place->under_upper / (0.035f * f->height)) * (1.0f - 0.5f * across * across);
    for (int32_t c = 0; c < 3; c++) {
        float back = in->cavity[c] * shade + 0.35f * tongue * (in->tongue[c] - in->cavity[c]);
        rgb[c] = back + teeth * (in->teeth[c] * (0.55f + 0.45f * light) - back);
    }
}
