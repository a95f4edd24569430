#include "face/geometry.h"

#include <math.h>
#include <string.h>

#include "core/scalar.h"
static int all_finite(const double *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return 0;
    return 1;
}

static sonic_status check_crop(const double face[4], double ratio, int32_t width_px, int32_t height_px)
{
    if (!all_finite(face, 4) || !(face[2] > face[0]) || !(face[3] > face[1]))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Give the face a box with an area: x0, y0, x1, y1 are %g, %g, %g, %g.",
                          face[0], face[1], face[2], face[3]);
    if (!(ratio >= 0) || ratio > 4)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose an expand_ratio from 0 to 4: it is %g.", ratio);
    if (width_px < 1 || height_px < 1 || face[0] >= width_px || face[1] >= height_px || face[2] <= 0 || face[3] <= 0)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Give a face box inside the picture of %d x %d pixels: it is %g, %g, %g, %g.", (int)width_px,
                          (int)height_px, face[0], face[1], face[2], face[3]);
    return SONIC_OK;
}

/* Offset of the square from the middle of the expanded box towards the face, within the expanded box. */
static double slide(double face_centre, double box_centre, double room)
{
    double offset = face_centre - box_centre;
    return offset > 0 ? fmin(room, offset) : -fmin(room, -offset);
}

sonic_status sonic_crop_square(int32_t crop[4], const double face[4], double ratio, int32_t width_px, int32_t height_px)
{
    sonic_status status = check_crop(face, ratio, width_px, height_px);
    if (status != SONIC_OK)
        return status;
    double grow_x = ratio * (face[2] - face[0]), grow_y = ratio * (face[3] - face[1]);
    double x0 = sonic_clamp(face[0] - grow_x, 0, width_px), x1 = sonic_clamp(face[2] + grow_x, 0, width_px);
    double y0 = sonic_clamp(face[1] - grow_y, 0, height_px), y1 = sonic_clamp(face[3] + grow_y, 0, height_px);
    double width = x1 - x0, height = y1 - y0, half = fmin(width, height) / 2, room = fabs(width - height) / 2;
    double centre_x = (x0 + x1) / 2, centre_y = (y0 + y1) / 2;
    if (width < height)
        centre_y += slide((face[1] + face[3]) / 2, centre_y, room);
    else
        centre_x += slide((face[0] + face[2]) / 2, centre_x, room);
    crop[0] = (int32_t)nearbyint(centre_x - half), crop[1] = (int32_t)nearbyint(centre_y - half);
    crop[2] = (int32_t)nearbyint(centre_x + half), crop[3] = (int32_t)nearbyint(centre_y + half);
    if (crop[2] <= crop[0] || crop[3] <= crop[1])
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose a picture that shows more of the face: less than a pixel of it is inside.");
    return SONIC_OK;
}

/* Start of an interval of `length` within 0..limit, its middle as near to `middle` as that allows. */
static int32_t placed(double middle, int32_t length, int32_t limit)
{
    return (int32_t)sonic_clamp(nearbyint(middle - length / 2.0), 0, limit - length);
}

/* The longer side of a crop with the shorter side `shorter`, at most `longer`: the prepared sides, multiples of 64,
 * have the same proportions. */
static int32_t undistorted(int32_t shorter, double longer, double prepared_px)
{
    double tiles = floor(longer / shorter * prepared_px / 64 + 1e-9);
    return (int32_t)fmin(nearbyint(tiles * 64 / prepared_px * shorter), floor(longer));
}

sonic_status sonic_crop_wide(int32_t crop[4], const double face[4], double ratio, int32_t width_px, int32_t height_px,
                             int32_t min_resolution_px)
{
    int32_t square[4];
    sonic_status status = sonic_crop_square(square, face, ratio, width_px, height_px);
    if (status != SONIC_OK)
        return status;
    if (min_resolution_px < 64 || min_resolution_px > 2048)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a min_resolution from 64 to 2048: it is %d.",
                          (int)min_resolution_px);
    double x0 = sonic_clamp(face[0], 0, width_px), x1 = sonic_clamp(face[2], 0, width_px);
    double y0 = sonic_clamp(face[1], 0, height_px), y1 = sonic_clamp(face[3], 0, height_px);
    double prepared = nearbyint(min_resolution_px / 64.0) * 64;
    double most = fmin(face[2] - face[0], face[3] - face[1]) * prepared / SONIC_WIDE_FACE_PX;
    int32_t shorter = width_px < height_px ? width_px : height_px, longer = width_px + height_px - shorter;
    crop[0] = 0, crop[1] = 0, crop[2] = width_px, crop[3] = height_px;
    if (shorter <= most && longer <= (double)SONIC_ASPECT_MAX * shorter)
        return SONIC_OK;
    double least = fmax(fmax(x1 - x0, y1 - y0), square[2] - square[0]);
    int32_t side = (int32_t)sonic_clamp(floor(fmax(most, ceil(least))), 1, shorter);
    double aspect = fmin((double)longer / shorter, SONIC_ASPECT_MAX);
    int32_t length = undistorted(side, fmin(side * aspect, longer), prepared);
    int32_t width = width_px < height_px ? side : length, height = width_px < height_px ? length : side;
    crop[0] = placed((x0 + x1) / 2, width, width_px), crop[1] = placed((y0 + y1) / 2, height, height_px);
    crop[2] = crop[0] + width, crop[3] = crop[1] + height;
    return SONIC_OK;
}

sonic_status sonic_prepared_size(int32_t *out_width_px, int32_t *out_height_px, int32_t width_px, int32_t height_px,
                                 int32_t min_resolution_px)
{
    if (width_px < 1 || height_px < 1)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a picture that has pixels: it is %d x %d.", (int)width_px,
                          (int)height_px);
    if (min_resolution_px < 64 || min_resolution_px > 2048)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a min_resolution from 64 to 2048: it is %d.",
                          (int)min_resolution_px);
    double scale = (double)min_resolution_px / (width_px < height_px ? width_px : height_px);
    double width = nearbyint(width_px * scale / 64) * 64, height = nearbyint(height_px * scale / 64) * 64;
    if (fmax(width, height) > SONIC_PREPARED_SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Crop to the face (crop: face), or choose a lower min_resolution or a less elongated "
                          "picture: %d x %d pixels at "
                          "min_resolution %d would become %.0f x %.0f, and the limit is %d.",
                          (int)width_px, (int)height_px, (int)min_resolution_px, width, height,
                          SONIC_PREPARED_SIDE_MAX_PX);
    *out_width_px = (int32_t)width, *out_height_px = (int32_t)height;
    return SONIC_OK;
}

/* First and last pixel, exclusive, of an interval scaled about its middle; floored as in the model's training. */
static void scaled_interval(int32_t out[2], double start, double length, double area, int32_t limit)
{
    double middle = floor((start + length + start) / 2), half = floor(length * area / 2);
    out[0] = (int32_t)sonic_clamp(middle - half, 0, limit);
    out[1] = (int32_t)sonic_clamp(middle + half, 0, limit);
}

sonic_status sonic_face_mask(sonic_image mask, const double box_xywh[4], double area)
{
    if (!all_finite(box_xywh, 4) || !(area > 0) || area > 100)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Give a finite face box and an area factor from 0 to 100: the factor is %g.", area);
    if (mask.channels != 1)
        return sonic_fail(SONIC_ERROR_SHAPE, "The mask needs 1 channel, it has %d.", (int)mask.channels);
    int32_t columns[2], rows[2];
    scaled_interval(columns, box_xywh[0], box_xywh[2], area, mask.width_px);
    scaled_interval(rows, box_xywh[1], box_xywh[3], area, mask.height_px);
    for (int32_t y = 0; y < mask.height_px; y++) {
        uint8_t *row = mask.data + y * mask.stride;
        memset(row, 0, (size_t)mask.width_px);
        if (y >= rows[0] && y < rows[1] && columns[1] > columns[0])
            memset(row + columns[0], 255, (size_t)(columns[1] - columns[0]));
    }
    return SONIC_OK;
}
