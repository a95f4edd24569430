/* paste.h - puts an animated square back into the picture that it was cut from. */
#ifndef SONIC_FACE_PASTE_H
#define SONIC_FACE_PASTE_H

#include "sonic.h"

typedef struct sonic_paste sonic_paste;

/* Prepares pasting into `source` [height, width, 3] at `crop_xyxy`, which may reach beyond the picture. The edge fades
 * over `feather` (0..0.5) of the square's side; sides that lie on the picture's border do not fade, for there is
 * nothing behind them. `source` is borrowed and must outlive the handle. One handle belongs to one thread at a time.
 * SONIC_ERROR_ARGUMENT: an empty crop, one that misses the picture or is larger than 32768 pixels, a feather out of
 * range. */
sonic_status sonic_paste_create(sonic_paste **out, sonic_image source, const int32_t crop_xyxy[4], double feather);
void sonic_paste_free(sonic_paste *paste);

/* `out` [height, width, 3] becomes the source with `frame` (any size, 3 channels) in its place. Outside the square it
 * is the source, byte for byte; inside the fade it is the resized frame, byte for byte. */
sonic_status sonic_paste_frame(sonic_image out, sonic_paste *paste, sonic_image frame);

#endif
