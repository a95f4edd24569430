#include "draft/render/mouth.h"

#include <math.h>
#include <string.h>

#include "core/scalar.h"
#include "draft/render/bicubic.h"
#include "face/landmarks.h"

static float luma_of(const float *rgb) { return 0.3f * rgb[0] + 0.59f * rgb[1] + 0.11f * rgb[2]; }

static void mix(float *rgb, const float *other, float share)
{
    for (int32_t c = 0; c < 3; c++)
        rgb[c] += share * (other[c] - rgb[c]);
}

static void mean_color(float *rgb, const sonic_texture *texture, const float *mesh, const int16_t *points,
                       int32_t count)
{
    rgb[0] = rgb[1] = rgb[2] = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        float one[4];
        sonic_bicubic_sample(one, texture, mesh[3 * points[i]], mesh[3 * points[i] + 1]);
        for (int32_t c = 0; c < 3; c++)
            rgb[c] += one[c] / (float)count;
    }
}

/* Brightest sample in the whites of the eyes, between iris and corner: the illuminant's colour. */
static void eye_white(float *rgb, const sonic_texture *texture, const float *mesh)
{
    static const int16_t corner[4] = {SONIC_LANDMARK_EYE_LEFT_OUTER, SONIC_LANDMARK_EYE_LEFT_INNER,
                                      SONIC_LANDMARK_EYE_RIGHT_INNER, SONIC_LANDMARK_EYE_RIGHT_OUTER};
    static const int16_t opposite[4] = {SONIC_LANDMARK_EYE_LEFT_INNER, SONIC_LANDMARK_EYE_LEFT_OUTER,
                                        SONIC_LANDMARK_EYE_RIGHT_OUTER, SONIC_LANDMARK_EYE_RIGHT_INNER};
    rgb[0] = rgb[1] = rgb[2] = 0.0f;
    for (int32_t i = 0; i < 4; i++)
        for (int32_t k = 0; k < 5; k++) {
            float part = 0.14f + 0.03f * (float)k, one[4];
            const float *a = mesh + 3 * corner[i], *b = mesh + 3 * opposite[i];
            sonic_bicubic_sample(one, texture, a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1]));
            if (luma_of(one) > luma_of(rgb))
                memcpy(rgb, one, 3 * sizeof(float));
        }
}

/* Luma of the lit skin: mean of the brighter half of samples around the mouth. */
static float lit_skin(const sonic_texture *texture, const float *mesh)
{
    enum { PLACES = 12 };
    /* Cheeks, chin, the folds beside the mouth, nose, forehead */
    static const int16_t places[PLACES] = {SONIC_LANDMARKS_CHEEKS, 199, 200, 205, 425, 5, 151};
    float luma[PLACES], sum = 0.0f;
    for (int32_t i = 0; i < PLACES; i++) {
        float rgb[3];
        mean_color(rgb, texture, mesh, places + i, 1);
        int32_t at = i;
        for (float value = luma_of(rgb); at > 0 && luma[at - 1] < value; at--)
            luma[at] = luma[at - 1];
        luma[at] = luma_of(rgb);
    }
    for (int32_t i = 0; i < PLACES / 2; i++)
        sum += luma[i];
    return sum / (float)(PLACES / 2);
}

/* Ivory under this portrait's illuminant: brightness from skin and eyes, tint partly from the eyes. Where the
 * portrait's own teeth show, their colour is taken instead. */
static void choose_tooth_color(sonic_interior *in, const sonic_lips *lips, const sonic_texture *texture,
                               const float *mesh, float height)
{
    static const float ivory[3] = {1.0f, 0.96f, 0.885f};
    float white[3];
    eye_white(white, texture, mesh);
    float bright = fmaxf(luma_of(white), 1.0f),
          target = sonic_clampf(fmaxf(1.04f * lit_skin(texture, mesh), 0.92f * bright), 40.0f, 218.0f);
    float own = sonic_smoothstep((lips->teeth_above + lips->teeth_below) / (0.012f * height) - 0.5f);
    for (int32_t c = 0; c < 3; c++) {
        float tint = sonic_clampf(0.6f + 0.4f * white[c] / bright, 0.94f, 1.05f);
        in->teeth[c] = sonic_clampf(target * ivory[c] * tint, 0.0f, 236.0f);
        in->teeth[c] += own * (lips->teeth[c] - in->teeth[c]);
    }
}

/* Standard deviation of the noise around the mouth (Immerkaer 1996, "Fast noise variance estimation"). */
static float measure_grain(const sonic_texture *texture, const sonic_face_frame *f)
{
    float sum = 0.0f;
    int32_t count = 0, side = (int32_t)sonic_clampf(0.12f * f->height, 4.0f, 200.0f);
    for (int32_t i = 0; i < side * side; i++) {
        int32_t x = (int32_t)f->origin_x + i % side - side / 2,
                y = (int32_t)(f->origin_y + 0.5f * f->chin) + i / side - side / 2;
        if (x < 1 || y < 1 || x + 1 >= texture->width || y + 1 >= texture->height)
            continue;
        const float *p = texture->pixels + (ptrdiff_t)(y + SONIC_TEXTURE_BORDER) * texture->stride +
                         4 * (x + SONIC_TEXTURE_BORDER) + 1;
        ptrdiff_t down = texture->stride;
        float above = p[-down - 4] - 2.0f * p[-down] + p[-down + 4], here = p[-4] - 2.0f * p[0] + p[4];
        float below = p[down - 4] - 2.0f * p[down] + p[down + 4];
        sum += fabsf(above - 2.0f * here + below), count++;
    }
    return count ? sonic_clampf(0.2089f * sum / (float)count, 0.0f, 6.0f) : 0.0f; /* sqrt(pi / 2) / 6 */
}

static void place_teeth(sonic_interior *in, float height)
{
    static const float upper[SONIC_TEETH] = {0.0500f, 0.0385f, 0.0400f, 0.0340f, 0.0300f, 0.0300f};
    static const float lower[SONIC_TEETH] = {0.0310f, 0.0345f, 0.0390f, 0.0380f, 0.0350f, 0.0350f};
    float upper_sum = 0.0f, lower_sum = 0.0f;
    for (int32_t i = 0; i < SONIC_TEETH; i++) {
        float scale = 1.0f - 0.08f * (float)i; /* foreshortening along the dental arch */
        upper_sum += upper[i] * scale * height, lower_sum += lower[i] * scale * height;
        in->upper_edge[i] = upper_sum, in->lower_edge[i] = lower_sum;
    }
    in->upper_drop = 0.026f * height, in->lower_rise = 0.024f * height;
}

void sonic_mouth_build(sonic_interior *in, const sonic_lips *lips, const sonic_face_frame *f,
                       const sonic_texture *texture, const float *mesh)
{
    static const int16_t lower_lip[] = {17, 85, 315, 16, 86, 316}; /* its middle */
    float lip[3];
    mean_color(lip, texture, mesh, lower_lip, 6);
    float luma = fmaxf(luma_of(lip), 10.0f);
    static const float blood[3] = {1.58f, 0.77f, 0.76f};
    for (int32_t c = 0; c < 3; c++) {
        float hue = sonic_clampf(0.3f * lip[c] / luma + 0.7f * blood[c], 0.5f, 1.8f);
        in->cavity[c] = sonic_clampf(0.15f * luma, 7.0f, 20.0f) * hue;
        in->flesh[c] = sonic_clampf(1.05f * luma * hue, 0.0f, 230.0f);
    }
    choose_tooth_color(in, lips, texture, mesh, f->height);
    place_teeth(in, f->height);
    in->half = 0.5f * (f->right - f->left);
    in->own_teeth = sonic_smoothstep(fmaxf(lips->teeth_above, lips->dark_above) / (0.008f * f->height) - 0.6f);
    in->softness = fmaxf(1.2f, 0.0042f * f->height);
    in->grain = measure_grain(texture, f);
}

/* Index of the tooth at u, and the position within it: -1..1 from its inner to its outer side. */
static int32_t tooth_at(float *within, const float edge[SONIC_TEETH], float u)
{
    float away = fabsf(u), inner = 0.0f;
    int32_t i = 0;
    while (i < SONIC_TEETH - 1 && away > edge[i])
        inner = edge[i++];
    *within = sonic_clampf(2.0f * (away - inner) / (edge[i] - inner) - 1.0f, -1.0f, 1.0f);
    return i;
}

/* Coverage (0..1) and light of a row of teeth at `past` px beyond the lip line towards its free edge, which lies at
 * `length` for a middle tooth. */
static float row_of_teeth(float *light, const sonic_interior *in, const float edge[SONIC_TEETH], float u, float past,
                          float length)
{
    static const float shorter[SONIC_TEETH] = {0.0f, 0.10f, 0.04f, 0.18f, 0.22f, 0.25f};
    float t, size = edge[0];
    int32_t i = tooth_at(&t, edge, u);
    float width = (edge[i] - (i ? edge[i - 1] : 0.0f)) * 0.5f;
    float free_edge =
        length - size * (0.35f * shorter[i] + 0.10f * t * t * t * t + 0.05f * t * t) - 0.10f * u * u / in->half;
    float gap = (1.0f - fabsf(t)) * width, line = fmaxf(0.055f * size, 0.45f * in->softness);
    /* Wider between the corners of the teeth */
    float open = sonic_smoothstep((past - free_edge + 0.30f * size) / (0.30f * size));
    float groove = (0.16f + 0.34f * open) * expf(-(gap / line) * (gap / line));
    float round = 1.0f - 0.10f * t * t - 0.03f * (float)(i & 1);
    *light = round * (1.0f - groove);
    return sonic_smoothstep((free_edge - past) / in->softness + 0.5f);
}

/* Light that falls through the gap: shadowed by the upper lip, less towards the corners. */
static float light_inside(const sonic_interior *in, const sonic_warp_motion *m, const sonic_mouth_place *p,
                          float height)
{
    float across = p->skull_u / in->half, side = 1.0f - 0.55f * sonic_smoothstep((fabsf(across) - 0.15f) / 0.85f);
    float shadow = 0.72f + 0.28f * sonic_smoothstep((p->under_upper + 0.004f * height) / (0.030f * height));
    float gap = 0.90f + 0.10f * sonic_smoothstep(m->gap_px / (0.05f * height));
    return side * shadow * gap;
}

/* A mound behind the lower teeth, brightest towards the gap, with a furrow in the middle. */
static void draw_tongue(float *rgb, const sonic_interior *in, const sonic_warp_motion *m, const sonic_mouth_place *p,
                        float height)
{
    float across = p->jaw_u / (0.80f * in->half), arch = sqrtf(fmaxf(1.0f - across * across, 0.0f));
    float top = (0.44f * m->gap_px + 0.012f * height) * (0.25f + 0.75f * arch);
    float depth = (top - p->over_lower) / fmaxf(0.6f * top, 1.0f); /* 0 at the far edge, 1.7 at the lip */
    float cover = sonic_smoothstep(depth + 0.45f) * sonic_smoothstep((m->gap_px / height - 0.02f) / 0.06f) *
                  sonic_smoothstep(3.0f * arch);
    float furrow = expf(-across * across * 90.0f) * sonic_smoothstep(depth);
    float light = 0.24f + 0.48f * sonic_smoothstep(0.8f * depth) - 0.05f * furrow, flesh[3];
    light *= (0.45f + 0.55f * arch) * (0.45f + 0.55f * sonic_smoothstep(p->over_lower / (0.03f * height)));
    for (int32_t c = 0; c < 3; c++)
        flesh[c] = light * in->flesh[c];
    mix(rgb, flesh, cover);
}

/* Inner side of a lip: moist flesh that fades into the dark. */
static void draw_rim(float *rgb, const sonic_interior *in, float distance, float height, float strength)
{
    float share = strength * expf(-distance / (0.005f * height)), flesh[3];
    for (int32_t c = 0; c < 3; c++)
        flesh[c] = 0.50f * in->flesh[c];
    mix(rgb, flesh, share);
}

/* The jaw moves less than the lip, so that a wide mouth shows some of them. */
static void draw_lower_teeth(float *rgb, const sonic_interior *in, const sonic_lips *lips, float height,
                             const sonic_warp_motion *m, const sonic_mouth_place *p)
{
    float light, across = fabsf(p->jaw_u) / in->half;
    float rise = 0.26f * m->gap_px - 0.009f * height, hidden = sonic_smoothstep(lips->teeth_below / (0.006f * height));
    if (rise <= 0.0f || hidden >= 1.0f || across > 0.75f)
        return;
    float cover = row_of_teeth(&light, in, in->lower_edge, p->jaw_u, p->over_lower,
                               fminf(rise, in->lower_rise) + 0.005f * height);
    cover *= (1.0f - hidden) * sonic_smoothstep(2.6f - 3.6f * across) * sonic_smoothstep(rise / (0.006f * height));
    float shade = (0.72f + 0.14f * sonic_smoothstep(p->over_lower / (0.014f * height))) * (1.0f - 0.45f * across),
          color[3];
    for (int32_t c = 0; c < 3; c++)
        color[c] = in->teeth[c] * (0.55f + 0.45f * light) * powf(shade, 1.0f + 0.08f * (float)c);
    mix(rgb, color, cover);
}

static void draw_upper_teeth(float *rgb, const sonic_interior *in, const sonic_lips *lips, float height,
                             const sonic_warp_motion *m, const sonic_mouth_place *p)
{
    if (in->own_teeth >= 1.0f)
        return;
    float light, past = p->skull_v - sonic_lips_line_v(lips, p->skull_u), inside = light_inside(in, m, p, height);
    float cover = row_of_teeth(&light, in, in->upper_edge, p->skull_u, past, in->upper_drop);
    cover *= sonic_smoothstep(4.2f - 4.4f * fabsf(p->skull_u) / in->half) * (1.0f - in->own_teeth);
    float color[3];
    for (int32_t c = 0; c < 3; c++) /* shadows on teeth are warm */
        color[c] = in->teeth[c] * light * powf(inside, 1.0f + 0.07f * (float)c);
    mix(rgb, color, cover);
}

/* Noise that moves with the teeth: a hash of their pixel in the portrait. */
static float grain_at(float u, float v)
{
    uint32_t h = (uint32_t)(int32_t)floorf(u) * 73856093u ^ (uint32_t)(int32_t)floorf(v) * 19349663u;
    h = (h ^ (h >> 13)) * 1274126177u;
    return ((float)(h & 1023u) + (float)((h >> 10) & 1023u) + (float)((h >> 20) & 1023u)) / 1023.0f - 1.5f;
}

void sonic_mouth_color(float *rgb, const sonic_interior *in, const sonic_lips *lips, float height,
                       const sonic_warp_motion *motion, const sonic_mouth_place *place)
{
    memcpy(rgb, in->cavity, 3 * sizeof(float));
    draw_tongue(rgb, in, motion, place, height);
    draw_lower_teeth(rgb, in, lips, height, motion, place);
    draw_rim(rgb, in, fmaxf(place->over_lower, 0.0f), height, 0.4f);
    draw_upper_teeth(rgb, in, lips, height, motion, place);
    draw_rim(rgb, in, fmaxf(place->under_upper, 0.0f), height, 0.45f * (1.0f - in->own_teeth));
    float noise =
        in->grain * 1.4f * grain_at(place->skull_u, place->skull_v) * sonic_clampf(luma_of(rgb) / 128.0f, 0.15f, 1.0f);
    for (int32_t c = 0; c < 3; c++)
        rgb[c] += noise;
}
