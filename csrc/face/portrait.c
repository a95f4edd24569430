#include "face/portrait.h"

#include <math.h>
#include <string.h>

#define DEGREES (180.0 / 3.14159265358979323846)
#define OUTLINE_POINTS 36
#define CROSSINGS_MAX 64 /* of one row with a polygon */

static int counts(const sonic_portrait_view *view, int32_t x, int32_t y)
{
    return !view->alpha.data || view->alpha.data[y * view->alpha.stride + x] >= SONIC_ALPHA_OPAQUE;
}

/* Abscissae at which the row of pixel middles `y` crosses the polygon, in ascending order. */
static int32_t crossings(double *out, double y, const float (*polygon)[2], int32_t count)
{
    int32_t found = 0;
    for (int32_t i = 0; i < count && found < CROSSINGS_MAX; i++) {
        const float *a = polygon[i], *b = polygon[(i + 1) % count];
        if ((a[1] <= y) == (b[1] <= y))
            continue;
        double x = a[0] + (y - a[1]) * ((double)b[0] - a[0]) / ((double)b[1] - a[1]);
        int32_t at = found++;
        for (; at > 0 && out[at - 1] > x; at--)
            out[at] = out[at - 1];
        out[at] = x;
    }
    return found;
}

/* `value` rounded up to a pixel from 0 to `limit`. */
static int32_t first_pixel(double value, int32_t limit)
{
    return !(value > 0) ? 0 : value >= limit ? limit : (int32_t)ceil(value);
}

static void count_span(uint32_t histogram[256], const sonic_portrait_view *view, int32_t y, int32_t from, int32_t to)
{
    const uint8_t *row = view->image.data + y * view->image.stride;
    for (int32_t x = from; x < to; x++)
        if (counts(view, x, y))
            histogram[(uint8_t)(0.299f * (float)row[3 * x] + 0.587f * (float)row[3 * x + 1] +
                                0.114f * (float)row[3 * x + 2] + 0.5f)]++;
}

/* Levels of the pixels whose middles lie inside the polygon. */
static void count_polygon(uint32_t histogram[256], const sonic_portrait_view *view, const float (*polygon)[2],
                          int32_t count)
{
    double at[CROSSINGS_MAX], top = INFINITY, bottom = -INFINITY;
    for (int32_t i = 0; i < count; i++) {
        /* not fmin and fmax: GCC 12 for Arm ends with an internal error when it vectorises the two */
        top = polygon[i][1] < top ? polygon[i][1] : top;
        bottom = polygon[i][1] > bottom ? polygon[i][1] : bottom;
    }
    const int32_t end = first_pixel(bottom, view->image.height_px);
    for (int32_t y = first_pixel(top - 1, view->image.height_px); y < end; y++) {
        int32_t found = crossings(at, y + 0.5, polygon, count);
        for (int32_t i = 0; i + 1 < found; i += 2)
            count_span(histogram, view, y, first_pixel(at[i] - 0.5, view->image.width_px),
                       first_pixel(at[i + 1] - 0.5, view->image.width_px));
    }
}

/* Least level that `share` of the pixels do not exceed. */
static int32_t percentile(const uint32_t histogram[256], int64_t pixels, double share)
{
    int64_t sum = 0;
    for (int32_t level = 0; level < 256; level++)
        if ((double)(sum += histogram[level]) >= share * (double)pixels)
            return level;
    return 255;
}

void sonic_face_light_measure(sonic_face_light *out, sonic_portrait_view view, const float (*polygon)[2], int32_t count)
{
    uint32_t histogram[256] = {0};
    int64_t bright = 0;
    memset(out, 0, sizeof *out);
    count_polygon(histogram, &view, polygon, count);
    for (int32_t level = 0; level < 256; level++) {
        out->pixels += histogram[level];
        bright += level >= SONIC_FACE_BRIGHT ? histogram[level] : 0;
    }
    if (!out->pixels)
        return;
    out->low = percentile(histogram, out->pixels, 0.05);
    out->mid = percentile(histogram, out->pixels, 0.5);
    out->high = percentile(histogram, out->pixels, 0.95);
    out->bright_share = (double)bright / (double)out->pixels;
}

void sonic_face_light_of_mesh(sonic_face_light *out, sonic_portrait_view view, const float mesh[SONIC_MESH_POINTS][3])
{
    static const int16_t outline[] = {SONIC_LANDMARKS_FACE_OVAL};
    float polygon[OUTLINE_POINTS][2];
    for (int i = 0; i < OUTLINE_POINTS; i++) {
        polygon[i][0] = mesh[outline[i]][0];
        polygon[i][1] = mesh[outline[i]][1];
    }
    sonic_face_light_measure(out, view, (const float (*)[2])polygon, OUTLINE_POINTS);
}

double sonic_face_roll(const float mesh[SONIC_MESH_POINTS][3])
{
    const float *left[] = {mesh[SONIC_LANDMARK_EYE_LEFT_OUTER], mesh[SONIC_LANDMARK_EYE_LEFT_INNER]},
                *right[] = {mesh[SONIC_LANDMARK_EYE_RIGHT_INNER], mesh[SONIC_LANDMARK_EYE_RIGHT_OUTER]};
    double x = (double)right[0][0] + right[1][0] - left[0][0] - left[1][0],
           y = (double)right[0][1] + right[1][1] - left[0][1] - left[1][1];
    return x == 0 && y == 0 ? 0 : atan2(y, x) * DEGREES;
}

static int is_missing(const sonic_portrait_view *view, const float point[3])
{
    float x = floorf(point[0]), y = floorf(point[1]);
    int is_inside = x >= 0 && y >= 0 && x < (float)view->image.width_px && y < (float)view->image.height_px;
    return !is_inside || !counts(view, (int32_t)x, (int32_t)y);
}

double sonic_face_missing(sonic_portrait_view view, const float mesh[SONIC_MESH_POINTS][3])
{
    static const int16_t lips[] = {SONIC_LANDMARKS_LIPS_OUTER, SONIC_LANDMARKS_LIPS_INNER};
    int32_t of_face = 0, of_lips = 0;
    for (int i = 0; i < SONIC_MESH_POINTS; i++)
        of_face += is_missing(&view, mesh[i]);
    for (int i = 0; i < 2 * SONIC_LIP_CONTOUR_POINTS; i++)
        of_lips += is_missing(&view, mesh[lips[i]]);
    return fmax((double)of_face / SONIC_MESH_POINTS, (double)of_lips / (2 * SONIC_LIP_CONTOUR_POINTS));
}
