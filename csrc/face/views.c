#include "face/views.h"

#include <math.h>
#include <string.h>

#include "opencv/vision.h"

#define SIDE SONIC_BLAZEFACE_SIDE_PX

sonic_view sonic_view_make(int32_t x_px, int32_t y_px, int32_t width_px, int32_t height_px, double margin_share,
                           int32_t quarter_turns)
{
    int32_t longest = width_px > height_px ? width_px : height_px;
    double margin_px = floor(margin_share * SIDE);
    sonic_view view = {x_px, y_px, width_px, height_px, (SIDE - 2 * margin_px) / longest, margin_px, quarter_turns};
    return view;
}

static int32_t scaled_side(int32_t side_px, double scale)
{
    double side = nearbyint(side_px * scale);
    return side < 1 ? 1 : side > SIDE ? SIDE : (int32_t)side;
}

/* Pixel (x, y) of the rotated canvas on the canvas before the rotation. */
static void unrotate_pixel(int32_t *x, int32_t *y, int32_t quarter_turns)
{
    for (int32_t i = 0; i < quarter_turns; i++) {
        int32_t before_x = SIDE - 1 - *y;
        *y = *x;
        *x = before_x;
    }
}

sonic_status sonic_view_fill(float *planes, uint8_t *canvas, sonic_image image, const sonic_view *view)
{
    int32_t width = scaled_side(view->width_px, view->scale), height = scaled_side(view->height_px, view->scale);
    int32_t margin = (int32_t)view->margin_px;
    sonic_image shrunk = {canvas, width, height, 3, (ptrdiff_t)width * 3};
    sonic_image region = {image.data + view->y_px * image.stride + (ptrdiff_t)view->x_px * 3, view->width_px,
                          view->height_px, 3, image.stride};
    sonic_status status = sonic_vision_resize(shrunk, region, SONIC_INTERPOLATION_AREA);
    for (int32_t i = 0; i < SIDE * SIDE; i++) {
        int32_t x = i % SIDE, y = i / SIDE;
        unrotate_pixel(&x, &y, view->quarter_turns);
        x -= margin, y -= margin;
        int inside = x >= 0 && x < width && y >= 0 && y < height;
        for (int32_t c = 0; c < 3; c++)
            planes[c * SIDE * SIDE + i] = inside ? (float)canvas[(y * width + x) * 3 + c] / 127.5f - 1 : 0;
    }
    return status;
}

/* A point of the rotated canvas in pixels of the image. */
static void point_to_image(float *x, float *y, const sonic_view *view)
{
    for (int32_t i = 0; i < view->quarter_turns; i++) {
        float before_x = SIDE - *y;
        *y = *x;
        *x = before_x;
    }
    *x = (float)((*x - view->margin_px) / view->scale + view->x_px);
    *y = (float)((*y - view->margin_px) / view->scale + view->y_px);
}

static void order(float *low, float *high)
{
    float smaller = fminf(*low, *high), larger = fmaxf(*low, *high);
    *low = smaller, *high = larger;
}

void sonic_view_to_image(sonic_detection *detection, const sonic_view *view)
{
    float *box = detection->box_xyxy;
    point_to_image(&box[0], &box[1], view);
    point_to_image(&box[2], &box[3], view);
    order(&box[0], &box[2]);
    order(&box[1], &box[3]);
    for (int k = 0; k < SONIC_FACE_KEYPOINTS; k++)
        point_to_image(&detection->keypoints[k][0], &detection->keypoints[k][1], view);
}
