/* views.h - inputs of the detector: a region of the image, scaled into a square canvas and rotated by multiples of
 * 90 degrees. */
#ifndef SONIC_FACE_VIEWS_H
#define SONIC_FACE_VIEWS_H

#include "face/blazeface.h"

/* A region of the image on the detector's canvas of 128x128 pixels. The region's top left lies at (margin_px,
 * margin_px); then the canvas is rotated counter-clockwise by `quarter_turns` * 90 degrees. */
typedef struct sonic_view {
    int32_t x_px, y_px, width_px, height_px; /* region of the image */
    double scale;                            /* canvas pixels per image pixel */
    double margin_px;
    int32_t quarter_turns;
} sonic_view;

/* The region fits the canvas less `margin_share` (0..0.45) of it on each side. */
sonic_view sonic_view_make(int32_t x_px, int32_t y_px, int32_t width_px, int32_t height_px, double margin_share,
                           int32_t quarter_turns);

/* Fills `planes` [3, 128, 128] with the view: -1..1, and 0 where there is no image. `canvas` is scratch of 128 * 128
 * * 3 bytes. */
sonic_status sonic_view_fill(float *planes, uint8_t *canvas, sonic_image image, const sonic_view *view);

/* A detection on the canvas becomes one in the image. */
void sonic_view_to_image(sonic_detection *detection, const sonic_view *view);

#endif
