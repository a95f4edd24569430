/* smooth.h - removes flicker (of the image and of its tiles), shake and noise from a clip, frame by frame with a short
 * look-ahead.
 *
 * Each kind of fault is measured first. What is not found with confidence stays as it is, and a frame with nothing to
 * correct comes out bit for bit. Scene cuts restart the filters. Frames in equals frames out, in order. */
#ifndef SONIC_SMOOTH_SMOOTH_H
#define SONIC_SMOOTH_SMOOTH_H

#include "sonic.h"

typedef struct sonic_smooth sonic_smooth;

typedef struct sonic_smooth_report {
    int64_t frames, cuts;
    int64_t shaken, flickering, noisy; /* frames in which that was corrected */
    double shake_px, flicker, noise;   /* means over those: standard deviation in px, relative gain, levels */
} sonic_smooth_report;

/* For frames of width_px x height_px (1..8192); strength 0..1, 0.5 by default, 0 changes nothing. SONIC_ERROR_ARGUMENT:
 * a value outside its range; SONIC_ERROR_MEMORY. */
sonic_status sonic_smooth_create(sonic_smooth **out, int32_t width_px, int32_t height_px, double strength);
void sonic_smooth_free(sonic_smooth *smooth);

/* The look-ahead in frames: sonic_smooth_pull has a frame ready when more than these are waiting, or after
 * sonic_smooth_end. */
int32_t sonic_smooth_delay(const sonic_smooth *smooth);

/* Takes the next frame [height, width, 3]. `meshes` [count, 468, 3] are its faces, in pixels, whose lips and eyes the
 * noise filter leaves alone; with count -1 those of the frame before hold. SONIC_ERROR_SHAPE: another size;
 * SONIC_ERROR_ARGUMENT: a frame must be pulled first. */
sonic_status sonic_smooth_push(sonic_smooth *smooth, sonic_image frame, const float *meshes, int32_t count);

/* Marks the end of the clip. */
void sonic_smooth_end(sonic_smooth *smooth);

/* Writes the next finished frame and sets *ready to 1, or sets it to 0. SONIC_ERROR_SHAPE: another size. */
sonic_status sonic_smooth_pull(sonic_smooth *smooth, sonic_image out, int32_t *ready);

sonic_smooth_report sonic_smooth_get_report(const sonic_smooth *smooth);

#endif
