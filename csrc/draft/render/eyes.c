#include "draft/render/eyes.h"

#include <math.h>

#include "core/scalar.h"
#include "draft/render/bicubic.h"
#include "face/landmarks.h"

static const int16_t contour[SONIC_EYES][SONIC_EYE_CONTOUR_POINTS] = {{SONIC_LANDMARKS_EYE_LEFT},
                                                                      {SONIC_LANDMARKS_EYE_RIGHT}};
static const int16_t brow[SONIC_EYES][SONIC_BROW_POINTS] = {{SONIC_LANDMARKS_BROW_LEFT}, {SONIC_LANDMARKS_BROW_RIGHT}};

/* The landmarks of both lids of an eye, from its left corner to its right one. */
static void lids_left_to_right(int16_t upper[SONIC_LID_POINTS], int16_t lower[SONIC_LID_POINTS], int32_t eye)
{
    for (int i = 0; i < SONIC_LID_POINTS; i++) {
        int from_outer = eye == 0 ? i : SONIC_LID_POINTS - 1 - i;
        upper[i] = contour[eye][sonic_landmarks_upper_lid(from_outer)];
        lower[i] = contour[eye][from_outer];
    }
}

static float eye_a(const sonic_eye *e, float x, float y) { return ((x - e->x) * e->ax + (y - e->y) * e->ay) / e->half; }

static float eye_b(const sonic_eye *e, float x, float y) { return (y - e->y) * e->ax - (x - e->x) * e->ay; }

/* Least-squares cubic b = c0 + c1 a + c2 a^2 + c3 a^3 through mesh points, by the normal equations: smoother than the
 * mesh. */
static void fit_cubic(float c[4], const sonic_eye *e, const float *mesh, const int16_t *points, int32_t count)
{
    float m[4][5] = {{0.0f}};
    for (int32_t i = 0; i < count; i++) {
        const float *p = mesh + 3 * points[i];
        float a = eye_a(e, p[0], p[1]), b = eye_b(e, p[0], p[1]), power[4] = {1.0f, a, a * a, a * a * a};
        for (int32_t r = 0; r < 4; r++) {
            for (int32_t k = 0; k < 4; k++)
                m[r][k] += power[r] * power[k];
            m[r][4] += power[r] * b;
        }
    }
    for (int32_t r = 0; r < 4; r++)
        m[r][r] += 1e-3f;
    for (int32_t r = 0; r < 4; r++)
        for (int32_t k = 0; k < 4; k++) {
            float factor = k == r ? 0.0f : m[k][r] / m[r][r];
            for (int32_t j = r; j < 5 && k != r; j++)
                m[k][j] -= factor * m[r][j];
        }
    for (int32_t r = 0; r < 4; r++)
        c[r] = m[r][4] / m[r][r];
}

static float cubic_at(const float c[4], float a) { return c[0] + a * (c[1] + a * (c[2] + a * c[3])); }

static float luma_near(const sonic_texture *texture, const sonic_eye *e, float a, float b)
{
    float rgb[4];
    sonic_bicubic_sample(rgb, texture, e->x + a * e->half * e->ax - b * e->ay, e->y + a * e->half * e->ay + b * e->ax);
    return 0.3f * rgb[0] + 0.59f * rgb[1] + 0.11f * rgb[2];
}

/* The lid's edge in the pixels: the offset of the mesh's curve with the strongest step from skin down to lashes; 0 when
 * there is no such step (drawings, pale lashes). */
static float find_edge(const sonic_texture *texture, const sonic_eye *e)
{
    float best = -1e30f, shift = 0.0f, reach = fmaxf(0.12f * e->open, 0.6f);
    for (int32_t i = -8; i <= 8; i++) {
        float offset = 0.04f * (float)i * e->open, score = 0.0f;
        for (int32_t k = -6; k <= 6; k++) {
            float a = (float)k / 10.0f, b = cubic_at(e->upper, a) + offset;
            score += luma_near(texture, e, a, b - reach) - luma_near(texture, e, a, b + reach);
        }
        score -= 0.4f * fabsf(score) * fabsf((float)i / 8.0f);
        if (score > best)
            best = score, shift = offset;
    }
    return best > 13.0f * 8.0f ? shift : 0.0f; /* 13 places, 8 levels each */
}

/* Height of the skin above the lid's edge: up to where it turns dark again, at a brow or a rim of glasses. */
static float skin_above(const sonic_texture *texture, const sonic_eye *e, float most)
{
    float brightest = 0.0f;
    for (int32_t i = 4, dark = 0; i < 24; i++) {
        float up = most * (float)i / 24.0f, mean = 0.0f;
        for (int32_t k = -3; k <= 3; k++)
            mean += luma_near(texture, e, 0.2f * (float)k, cubic_at(e->upper, 0.2f * (float)k) - up) / 7.0f;
        brightest = fmaxf(brightest, mean);
        dark = mean < 0.78f * brightest ? dark + 1 : 0;
        if (dark == 6) /* a crease is thinner */
            return 0.9f * (up - 5.0f * most / 24.0f);
    }
    return most;
}

static float skin_luma(const sonic_texture *texture, const float *mesh)
{
    static const int16_t cheeks[] = {SONIC_LANDMARKS_CHEEKS};
    float sum = 0.0f;
    for (int32_t i = 0; i < 6; i++) {
        float rgb[4];
        sonic_bicubic_sample(rgb, texture, mesh[3 * cheeks[i]], mesh[3 * cheeks[i] + 1]);
        sum += (0.3f * rgb[0] + 0.59f * rgb[1] + 0.11f * rgb[2]) / 6.0f;
    }
    return sum;
}

/* Behind dark glasses: lid and eye are both far darker than the cheeks. */
static int is_covered(const sonic_texture *texture, const sonic_eye *e, float skin)
{
    float lid = 0.0f, white = 0.0f;
    for (int32_t k = -4; k <= 4; k++) {
        float a = (float)k / 6.0f, upper = cubic_at(e->upper, a);
        lid += luma_near(texture, e, a, upper - 0.5f * e->fold) / 9.0f;
        white = fmaxf(white, luma_near(texture, e, a, 0.5f * (upper + cubic_at(e->lower, a))));
    }
    return lid < 0.42f * skin && white < 0.6f * skin;
}

static int is_finite_cubic(const float c[4]) { return isfinite(c[0] + c[1] + c[2] + c[3]); }

static void build_eye(sonic_eye *e, int32_t index, const sonic_face_frame *frame, const sonic_texture *texture,
                      const float *mesh, float skin)
{
    int16_t upper[SONIC_LID_POINTS], lower[SONIC_LID_POINTS];
    lids_left_to_right(upper, lower, index);
    const float *left = mesh + 3 * upper[0], *right = mesh + 3 * upper[SONIC_LID_POINTS - 1];
    float dx = right[0] - left[0], dy = right[1] - left[1], length = sqrtf(dx * dx + dy * dy);
    e->moves = 0;
    if (!(length >= 5.0f) || dx * frame->ux + dy * frame->uy < 0.5f * length)
        return;
    e->x = 0.5f * (left[0] + right[0]), e->y = 0.5f * (left[1] + right[1]);
    e->ax = dx / length, e->ay = dy / length, e->half = 0.5f * length;
    float brows[4];
    fit_cubic(e->upper, e, mesh, upper, SONIC_LID_POINTS);
    fit_cubic(e->lower, e, mesh, lower, SONIC_LID_POINTS);
    fit_cubic(brows, e, mesh, brow[index], SONIC_BROW_POINTS);
    e->open = cubic_at(e->lower, 0.0f) - cubic_at(e->upper, 0.0f);
    float to_brow = cubic_at(e->upper, 0.0f) - cubic_at(brows, 0.0f);
    if (!is_finite_cubic(e->upper) || !is_finite_cubic(e->lower) || !(e->open > fmaxf(0.11f * length, 1.2f)))
        return;
    e->upper[0] += find_edge(texture, e);
    e->fold =
        fmaxf(skin_above(texture, e, sonic_clampf(0.8f * to_brow, 0.6f * e->open, 1.8f * e->open)), 0.5f * e->open);
    e->moves = !is_covered(texture, e, skin);
}

void sonic_eyes_build(sonic_eye eyes[SONIC_EYES], const sonic_face_frame *frame, const sonic_texture *texture,
                      const float *mesh)
{
    float skin = skin_luma(texture, mesh);
    for (int32_t i = 0; i < SONIC_EYES; i++)
        build_eye(&eyes[i], i, frame, texture, mesh, skin);
}

int32_t sonic_eyes_meet(const sonic_eye eyes[SONIC_EYES], float left, float top, float right, float bottom)
{
    for (int32_t i = 0; i < SONIC_EYES; i++) {
        const sonic_eye *e = &eyes[i];
        float wide = 1.15f * e->half + 2.0f, high = 1.1f * e->half + e->fold + e->open;
        float reach = wide > high ? wide : high;
        if (e->moves && right > e->x - reach && left < e->x + reach && bottom > e->y - reach && top < e->y + reach)
            return i;
    }
    return -1;
}

/* The point of the resting lid that the lowered one shows at b: b = from + drop * smoothstep((from - top) / fold), by
 * Newton's method. */
static float lid_source(float b, float edge, float fold, float drop)
{
    float top = edge - fold;
    if (b <= top)
        return b;
    float from = b >= edge + drop ? b - drop : top + (b - top) * fold / (fold + drop);
    for (int32_t i = 0; i < 5; i++) {
        float x = sonic_clampf((from - top) / fold, 0.0f, 1.0f);
        float error = from + drop * sonic_smoothstep(x) - b, slope = 1.0f + drop * 6.0f * x * (1.0f - x) / fold;
        from -= error / slope;
    }
    return from;
}

/* The lid's colour, blurred along the eye by the share `blurred` where little skin is stretched far: below a rim or a
 * low brow it would show streaks. */
static void lid_color(float *rgbx, const sonic_texture *texture, const sonic_eye *e, float x, float y, float blurred)
{
    static const float reach[4] = {-0.22f, -0.10f, 0.10f, 0.22f};
    sonic_bicubic_sample(rgbx, texture, x, y);
    if (blurred <= 0.0f)
        return;
    float mean[4], one[4];
    for (int32_t c = 0; c < 3; c++)
        mean[c] = 0.2f * rgbx[c];
    for (int32_t i = 0; i < 4; i++) {
        sonic_bicubic_sample(one, texture, x + reach[i] * e->half * e->ax, y + reach[i] * e->half * e->ay);
        for (int32_t c = 0; c < 3; c++)
            mean[c] += 0.2f * one[c];
    }
    for (int32_t c = 0; c < 3; c++)
        rgbx[c] += blurred * (mean[c] - rgbx[c]);
}

void sonic_eye_sample(float *rgbx, const sonic_eye *e, const sonic_texture *texture, float softness, float blink,
                      float x, float y)
{
    float a = eye_a(e, x, y), b = eye_b(e, x, y), side = 1.0f - 0.87f * a * a;
    float edge = cubic_at(e->upper, a), open = cubic_at(e->lower, a) - edge;
    sonic_bicubic_sample(rgbx, texture, x, y);
    if (side <= 0.0f || open <= 0.0f)
        return;
    open *= sonic_smoothstep(3.0f * side);
    float drop = 1.04f * blink * open, lashes = 0.12f * e->open * sonic_smoothstep(2.0f * side);
    float cover = sonic_clampf(0.5f + (edge + drop + lashes - b) / softness, 0.0f, 1.0f);
    if (cover <= 0.0f || drop < 0.02f)
        return;
    float from = lid_source(b, edge, e->fold, drop), lid[4];
    float depth = (edge - from) / e->fold, streaks = sonic_clampf(1.2f * (drop / e->fold - 0.55f), 0.0f, 0.85f);
    streaks *= sonic_smoothstep(depth * 6.0f) * sonic_smoothstep((1.0f - depth) * 4.0f);
    lid_color(lid, texture, e, x - (from - b) * e->ay, y + (from - b) * e->ax, streaks);
    cover *= b > edge ? sonic_clampf(drop / softness, 0.0f, 1.0f) : 1.0f;
    /* The lashes darken the line where the lids meet. */
    float line = (b - edge - drop - 0.5f * lashes) / (0.13f * e->open + 0.5f * softness);
    float shade = 1.0f - 0.42f * blink * sonic_smoothstep(2.5f * side) * expf(-line * line);
    for (int32_t c = 0; c < 3; c++)
        rgbx[c] += cover * (shade * lid[c] - rgbx[c]);
}
