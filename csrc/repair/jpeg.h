/* jpeg.h - a JPEG file decoded with its artefacts taken back (repair_plane.h), every component from the file's own
 * coefficients and tables. */
#ifndef SONIC_REPAIR_JPEG_H
#define SONIC_REPAIR_JPEG_H

#include "sonic.h"

/* rgb: [height][width][3] of the size that the file's header says, not transposed by its EXIF. Takes about 13 bytes for
 * each pixel at 4:2:0 and 22 at 4:4:4, and 6 MB. SONIC_ERROR_FORMAT with a sentence for files that are damaged, larger
 * than SONIC_JPEG_COEFFICIENT_PIXELS_MAX, or of other colours than grey, YCbCr and RGB in 8 bits; SONIC_ERROR_SHAPE
 * when rgb has another size; SONIC_ERROR_MEMORY, SONIC_ERROR_CANCELLED. */
sonic_status sonic_repair_jpeg(sonic_image rgb, const uint8_t *bytes, size_t size);

#endif
