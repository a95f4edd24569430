/* repair_pixels.h - artefacts taken back in a picture that was a JPEG once, from where its grid lies and what its table was. */
#ifndef SONIC_GATE_REPAIR_PIXELS_H
#define SONIC_GATE_REPAIR_PIXELS_H

#include "gate/repair_plane.h"

/* RGB, [height_px][width_px][3]: one of the two is set, the other NULL. */
typedef struct sonic_pixels {
    uint8_t *bytes;
    float *shares; /* 0..1 */
    int32_t width_px, height_px;
} sonic_pixels;

/* In place. Takes 8 bytes for each pixel and 16 MB; SONIC_ERROR_MEMORY, SONIC_ERROR_CANCELLED. */
sonic_status sonic_repair_pixels(sonic_pixels *pixels, const sonic_repair_grid *luma);

#endif
