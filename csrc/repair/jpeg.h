/* jpeg.h - decodes a JPEG file and removes its artefacts (plane.h), by the coefficients and table of each component. */
#ifndef SONIC_REPAIR_JPEG_H
#define SONIC_REPAIR_JPEG_H

#include "sonic.h"

/* rgb: [height][width][3] of the size in the file's header; EXIF orientation is not applied. Takes about 13 bytes a
 * pixel at 4:2:0, 22 at 4:4:4, and 6 MB. SONIC_ERROR_FORMAT for files that are damaged, larger than
 * SONIC_JPEG_COEFFICIENT_PIXELS_MAX, or neither grey, YCbCr nor RGB of 8 bits; SONIC_ERROR_SHAPE when rgb has another
 * size; SONIC_ERROR_MEMORY, SONIC_ERROR_CANCELLED. */
sonic_status sonic_repair_jpeg(sonic_image rgb, const uint8_t *bytes, size_t size);

#endif
