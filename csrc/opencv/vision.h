/* vision.h - the OpenCV functions in use, behind a C interface; only vision.cpp includes OpenCV's headers. C++
 * exceptions are returned as a status with OpenCV's text. */
#ifndef SONIC_OPENCV_VISION_H
#define SONIC_OPENCV_VISION_H

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sonic_interpolation {
    SONIC_INTERPOLATION_NEAREST = 0,
    SONIC_INTERPOLATION_LINEAR = 1,
    SONIC_INTERPOLATION_CUBIC = 2,
    SONIC_INTERPOLATION_AREA = 3
} sonic_interpolation;

/* Of the linked library: "4.6.0". */
const char *sonic_vision_version(void);

/* "SSE SSE2 SSE3 *SSE4.1 *AVX ?AVX2": the baseline it was compiled for; * marks what it dispatches to at run time, ?
 * what this processor lacks. Valid in the calling thread until its next call. */
const char *sonic_vision_simd(void);

/* Resizes `source` into `target` (same channels, 1 to 4). */
sonic_status sonic_vision_resize(sonic_image target, sonic_image source, sonic_interpolation interpolation);

/* target(x, y) = source(M^-1 (x, y)); `matrix` [2, 3] maps source to target pixels, as cv2.warpAffine takes it.
 * Outside the source is 0. */
sonic_status sonic_vision_warp_affine(sonic_image target, sonic_image source, const double matrix[6],
                                      sonic_interpolation interpolation);

#ifdef __cplusplus
}
#endif
#endif
