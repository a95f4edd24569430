/* blur.h - Gaussian blur of a plane. */
#ifndef SONIC_WATERMARK_BLUR_H
#define SONIC_WATERMARK_BLUR_H

#include "core/plane.h"

/* In place, the border repeated, cut off at 3 sigma; sigma_px up to 5. scratch: as many floats as the plane has. */
void sonic_plane_blur(const sonic_plane *plane, float sigma_px, float *scratch);

#endif
