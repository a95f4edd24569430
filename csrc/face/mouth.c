#include "face/mouth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "face/mesh_crop.h"
#include "opencv/vision.h"

#define SKIN_POINTS 14
#define MARGIN 0.05f     /* of the hull's size, around it */
#define STEP_SHARE 0.12f /* of the distance of the eyes' outer corners: unit of the rows beside the lips */

/* A part of the image at the size in which it is read. */
typedef struct reading {
    sonic_image image;
    uint8_t *memory;                   /* of a shrunk part, else NULL */
    float left, top, x_scale, y_scale; /* pixel of the whole image -> pixel of the part */
} reading;

static int32_t clamped(float value, int32_t limit)
{
    return !(value > 0) ? 0 : value >= (float)limit ? limit : (int32_t)value;
}

static int32_t shrunk_side(int32_t side_px, float scale)
{
    int32_t side = (int32_t)((float)side_px * scale + 0.5f);
    return side < 1 ? 1 : side;
}

/* The face's part of the image, shrunk so that its hull's longer side has SONIC_MOUTH_FACE_PX. 1, 0 or negative as
 * sonic_mouth_measure. */
static int32_t reading_open(reading *r, sonic_image image, const float mesh[SONIC_MESH_POINTS][3])
{
    float hull[4];
    sonic_mesh_hull(hull, mesh);
    const float size = fmaxf(hull[2] - hull[0], hull[3] - hull[1]), margin = MARGIN * size;
    const int32_t x0 = clamped(hull[0] - margin, image.width_px), y0 = clamped(hull[1] - margin, image.height_px),
                  x1 = clamped(hull[2] + margin + 1, image.width_px),
                  y1 = clamped(hull[3] + margin + 1, image.height_px);
    memset(r, 0, sizeof *r);
    if (!(size >= SONIC_MOUTH_FACE_MIN_PX) || x1 - x0 < 2 || y1 - y0 < 2)
        return 0;
    r->image = (sonic_image){image.data + y0 * image.stride + (ptrdiff_t)x0 * 3, x1 - x0, y1 - y0, 3, image.stride};
    r->left = (float)x0, r->top = (float)y0, r->x_scale = r->y_scale = 1;
    const float scale = SONIC_MOUTH_FACE_PX / size;
    if (scale >= 1)
        return 1;
    const int32_t width = shrunk_side(x1 - x0, scale), height = shrunk_side(y1 - y0, scale);
    if (width < 2 || height < 2)
        return 0;
    r->memory = malloc((size_t)width * (size_t)height * 3);
    if (!r->memory)
        return -1;
    sonic_image small = {r->memory, width, height, 3, (ptrdiff_t)width * 3};
    if (sonic_vision_resize(small, r->image, SONIC_INTERPOLATION_AREA) != SONIC_OK) {
        free(r->memory);
        return -1;
    }
    r->image = small;
    r->x_scale = (float)width / (float)(x1 - x0), r->y_scale = (float)height / (float)(y1 - y0);
    return 1;
}

/* Bilinear; 0 outside the image, else 1. */
static int sample(float rgb[3], const reading *r, const float point[2])
{
    const float x = (point[0] - r->left) * r->x_scale - 0.5f, y = (point[1] - r->top) * r->y_scale - 0.5f;
    const float right = (float)r->image.width_px - 1, bottom = (float)r->image.height_px - 1;
    if (!(x >= -1 && y >= -1 && x <= right + 1 && y <= bottom + 1))
        return 0;
    const float inside_x = fminf(fmaxf(x, 0), right), inside_y = fminf(fmaxf(y, 0), bottom);
    const int32_t column = inside_x < right ? (int32_t)inside_x : r->image.width_px - 2;
    const int32_t row = inside_y < bottom ? (int32_t)inside_y : r->image.height_px - 2;
    const float u = inside_x - (float)column, v = inside_y - (float)row;
    const uint8_t *at = r->image.data + row * r->image.stride + (ptrdiff_t)column * 3;
    for (int c = 0; c < 3; c++) {
        const uint8_t *below = at + r->image.stride;
        rgb[c] = (1 - v) * ((1 - u) * (float)at[c] + u * (float)at[c + 3]) +
                 v * ((1 - u) * (float)below[c] + u * (float)below[c + 3]);
    }
    return 1;
}

static float luma_of(const float rgb[3]) { return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]; }

/* Log luma, red and blue chromaticity. */
static void channels_of(float out[SONIC_MOUTH_CHANNELS], const float rgb[3])
{
    const float sum = rgb[0] + rgb[1] + rgb[2] + 15;
    out[0] = logf(luma_of(rgb) + 5);
    out[1] = rgb[0] / sum;
    out[2] = rgb[2] / sum;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Medians over nose, forehead and upper cheeks. 0 when less than half of the points lie inside the image. */
static int measure_skin(float out[SONIC_MOUTH_CHANNELS], const reading *r, const float mesh[SONIC_MESH_POINTS][3])
{
    static const int16_t points[SKIN_POINTS] = {SONIC_LANDMARKS_UPPER_SKIN};
    float values[SONIC_MOUTH_CHANNELS][SKIN_POINTS], rgb[3];
    int count = 0;
    for (int i = 0; i < SKIN_POINTS; i++) {
        float one[SONIC_MOUTH_CHANNELS];
        if (!sample(rgb, r, mesh[points[i]]))
            continue;
        channels_of(one, rgb);
        for (int c = 0; c < SONIC_MOUTH_CHANNELS; c++)
            values[c][count] = one[c];
        count++;
    }
    if (count < SKIN_POINTS / 2)
        return 0;
    for (int c = 0; c < SONIC_MOUTH_CHANNELS; c++) {
        qsort(values[c], (size_t)count, sizeof values[c][0], by_value);
        out[c] = values[c][count / 2];
    }
    return 1;
}

/* Points of a column from top to bottom. corners: outer and inner edge of the upper lip, inner and outer of the lower;
 * up: unit of the rows beside the lips, towards the forehead. */
static void column_points(float out[SONIC_MOUTH_ROWS][2], const float *const corners[4], const float up[2])
{
    static const struct {
        int from, to; /* edges */
        float share, steps;
    } rows[SONIC_MOUTH_ROWS] = {
        {0, 0, 0, 1.6f},  {0, 0, 0, 1.2f},  {0, 0, 0, 0.8f},  {0, 0, 0, 0.4f},  {0, 1, 0.15f, 0}, {0, 1, 0.5f, 0},
        {0, 1, 0.85f, 0}, {1, 2, 0, 0},     {1, 2, 0.5f, 0},  {1, 2, 1, 0},     {2, 3, 0.15f, 0}, {2, 3, 0.5f, 0},
        {2, 3, 0.85f, 0}, {3, 3, 0, -0.4f}, {3, 3, 0, -0.8f}, {3, 3, 0, -1.2f}, {3, 3, 0, -1.6f}};
    for (int i = 0; i < SONIC_MOUTH_ROWS; i++)
        for (int axis = 0; axis < 2; axis++) {
            const float a = corners[rows[i].from][axis], b = corners[rows[i].to][axis];
            out[i][axis] = a + rows[i].share * (b - a) + rows[i].steps * up[axis];
        }
}

/* Channels on the grid. 0 when a point lies outside the image. */
static int measure_grid(float out[SONIC_MOUTH_ROWS][SONIC_MOUTH_COLUMNS][SONIC_MOUTH_CHANNELS], const reading *r,
                        const float mesh[SONIC_MESH_POINTS][3])
{
    static const int16_t outer[] = {SONIC_LANDMARKS_LIPS_OUTER}, inner[] = {SONIC_LANDMARKS_LIPS_INNER};
    const float *left = mesh[SONIC_LANDMARK_EYE_LEFT_OUTER], *right = mesh[SONIC_LANDMARK_EYE_RIGHT_OUTER];
    const float up[2] = {STEP_SHARE * (right[1] - left[1]), -STEP_SHARE * (right[0] - left[0])};
    for (int i = 0; i < SONIC_MOUTH_COLUMNS; i++) {
        const int upper = sonic_landmarks_upper_lip(i + 1), lower = i + 1;
        const float *const corners[4] = {mesh[outer[upper]], mesh[inner[upper]], mesh[inner[lower]],
                                         mesh[outer[lower]]};
        float points[SONIC_MOUTH_ROWS][2], rgb[3];
        column_points(points, corners, up);
        for (int row = 0; row < SONIC_MOUTH_ROWS; row++) {
            if (!sample(rgb, r, points[row]))
                return 0;
            channels_of(out[row][i], rgb);
        }
    }
    return 1;
}

/* Mean of the groups of a row, and the deviation along the row. */
static void reduce_row(float groups[SONIC_MOUTH_GROUPS], float *deviation,
                       const float row[SONIC_MOUTH_COLUMNS][SONIC_MOUTH_CHANNELS], int channel)
{
    const int width = SONIC_MOUTH_COLUMNS / SONIC_MOUTH_GROUPS;
    float sum = 0, squares = 0;
    memset(groups, 0, SONIC_MOUTH_GROUPS * sizeof *groups);
    for (int i = 0; i < SONIC_MOUTH_COLUMNS; i++) {
        groups[i / width] += row[i][channel] / (float)width;
        sum += row[i][channel] / SONIC_MOUTH_COLUMNS;
    }
    for (int i = 0; i < SONIC_MOUTH_COLUMNS; i++)
        squares += (row[i][channel] - sum) * (row[i][channel] - sum) / SONIC_MOUTH_COLUMNS;
    *deviation = sqrtf(squares);
}

int32_t sonic_mouth_measure(float out[SONIC_MOUTH_VALUES], sonic_image image, const float mesh[SONIC_MESH_POINTS][3])
{
    float grid[SONIC_MOUTH_ROWS][SONIC_MOUTH_COLUMNS][SONIC_MOUTH_CHANNELS], skin[SONIC_MOUTH_CHANNELS];
    reading r;
    int32_t status = reading_open(&r, image, mesh);
    if (status <= 0)
        return status;
    const int is_inside = measure_skin(skin, &r, mesh) && measure_grid(grid, &r, mesh);
    free(r.memory);
    if (!is_inside)
        return 0;
    for (int c = 0; c < SONIC_MOUTH_CHANNELS; c++) {
        float *part = out + c * (SONIC_MOUTH_ROWS * SONIC_MOUTH_GROUPS + 1), *total = part + SONIC_MOUTH_VALUES / 3 - 1;
        *total = 0;
        for (int row = 0; row < SONIC_MOUTH_ROWS; row++) {
            float deviation, *groups = part + row * SONIC_MOUTH_GROUPS;
            reduce_row(groups, &deviation, (const float (*)[SONIC_MOUTH_CHANNELS])grid[row], c);
            for (int i = 0; i < SONIC_MOUTH_GROUPS; i++)
                groups[i] -= skin[c];
            *total += deviation / SONIC_MOUTH_ROWS;
        }
    }
    return 1;
}
