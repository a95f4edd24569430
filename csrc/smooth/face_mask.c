#include "smooth/face_mask.h"

#include <math.h>
#include <string.h>

#include "core/parallel.h"

enum { AROUND = 64, FACE = 128, KEPT = 255 }; /* values of the mask */

static const int16_t lips[] = {SONIC_LANDMARKS_LIPS_OUTER};
static const int16_t left_eye[] = {SONIC_LANDMARKS_EYE_LEFT}, right_eye[] = {SONIC_LANDMARKS_EYE_RIGHT};
static const int16_t oval[] = {SONIC_LANDMARKS_FACE_OVAL};

/* Centre, quadratic form (below 1 inside), and a bound on the radius. */
typedef struct ellipse {
    double x, y, xx, xy, yy, radius;
} ellipse;

/* The ellipse with the covariance of the points, scaled and widened by a margin. */
static ellipse fit_ellipse(const float *mesh, const int16_t *points, int count, double scale, double margin_px)
{
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    for (int i = 0; i < count; i++)
        x += mesh[3 * points[i]] / count, y += mesh[3 * points[i] + 1] / count;
    for (int i = 0; i < count; i++) {
        double u = mesh[3 * points[i]] - x, v = mesh[3 * points[i] + 1] - y;
        xx += u * u / count, xy += u * v / count, yy += v * v / count;
    }
    /* Points spread evenly on an ellipse have half its squared semi-axes as variances. */
    double grow = 2.0 * scale * scale, add = margin_px * margin_px;
    xx = xx * grow + add, yy = yy * grow + add, xy *= grow;
    double determinant = xx * yy - xy * xy;
    ellipse e = {x, y, yy / determinant, -xy / determinant, xx / determinant, sqrt(fmax(xx, yy)) * 1.5};
    return e;
}

static int32_t clip(double value, int32_t limit)
{
    return !(value > 0) ? 0 : value > limit ? limit : (int32_t)value; /* NaN becomes 0 */
}

static void draw_ellipse(uint8_t *mask, int32_t width, int32_t height, ellipse e, uint8_t value)
{
    if (!(e.radius > 0) || !(e.radius < 1e5))
        return;
    for (int32_t y = clip(e.y - e.radius, height); y < clip(e.y + e.radius + 1, height); y++)
        for (int32_t x = clip(e.x - e.radius, width); x < clip(e.x + e.radius + 1, width); x++) {
            double u = x - e.x, v = y - e.y;
            if (u * (u * e.xx + 2 * v * e.xy) + v * v * e.yy < 1.0 && mask[(size_t)y * width + x] < value)
                mask[(size_t)y * width + x] = value;
        }
}

void sonic_smooth_mask_draw(uint8_t *mask, int32_t width, int32_t height, const float *meshes, int32_t count)
{
    memset(mask, 0, (size_t)width * height);
    for (int32_t i = 0; i < count; i++) {
        const float *mesh = meshes + (size_t)i * SONIC_MESH_POINTS * 3;
        const float *top = mesh + 3 * SONIC_LANDMARK_FOREHEAD, *chin = mesh + 3 * SONIC_LANDMARK_CHIN;
        double size = hypot(top[0] - chin[0], top[1] - chin[1]);
        draw_ellipse(mask, width, height, fit_ellipse(mesh, oval, sizeof oval / sizeof *oval, 1.1, 0.03 * size),
                     AROUND);
        draw_ellipse(mask, width, height, fit_ellipse(mesh, oval, sizeof oval / sizeof *oval, 1.0, 0.0), FACE);
        draw_ellipse(mask, width, height, fit_ellipse(mesh, lips, sizeof lips / sizeof *lips, 1.15, 0.07 * size), KEPT);
        draw_ellipse(mask, width, height,
                     fit_ellipse(mesh, left_eye, sizeof left_eye / sizeof *left_eye, 1.15, 0.04 * size), KEPT);
        draw_ellipse(mask, width, height,
                     fit_ellipse(mesh, right_eye, sizeof right_eye / sizeof *right_eye, 1.15, 0.04 * size), KEPT);
    }
}

static float laplacian(const float *green, ptrdiff_t stride)
{
    return 4.0f * green[0] - green[-3] - green[3] - green[-stride] - green[stride];
}

/* The largest share of the cleaned image, 0..1, at which the Laplacian energy is at least 1 - max_loss of the frame's:
 * the root of a quadratic in the energy of the frame, of the change, and their product. */
static double solve_share(double frame, double mixed, double change, double max_loss)
{
    double c = max_loss * frame;
    if (frame <= 0 || frame + 2 * mixed + change >= (1 - max_loss) * frame)
        return 1.0;
    double root = mixed * mixed - change * c;
    if (root < 0 || change <= 0)
        return 1.0;
    double share = c / (-mixed + sqrt(root));
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static double face_share(const float *cleaned, const float *frame, const uint8_t *mask, int32_t width, int32_t height,
                         double max_loss)
{
    const ptrdiff_t stride = 3 * (ptrdiff_t)width;
    double own = 0, mixed = 0, change = 0;
    for (int32_t y = 1; y < height - 1; y++)
        for (int32_t x = 1; x < width - 1; x++) {
            if (mask[(size_t)y * width + x] != FACE)
                continue;
            const ptrdiff_t at = y * stride + 3 * x + 1;
            double a = laplacian(frame + at, stride), d = laplacian(cleaned + at, stride) - a;
            own += a * a, mixed += a * d, change += d * d;
        }
    return solve_share(own, mixed, change, max_loss);
}

void sonic_smooth_mask_apply(float *cleaned, const float *frame, const uint8_t *mask, int32_t width, int32_t height,
                             double max_loss)
{
    const float share = (float)face_share(cleaned, frame, mask, width, height, max_loss);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        if (!mask[i])
            continue;
        float weight = mask[i] == KEPT ? 0.0f : share;
        for (int c = 0; c < 3; c++)
            cleaned[3 * i + c] = frame[3 * i + c] + weight * (cleaned[3 * i + c] - frame[3 * i + c]);
    }
}
