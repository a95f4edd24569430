/* paste.h - pastes an animated square back into the image that it was cropped from. */
#ifndef SONIC_FACE_PASTE_H
#define SONIC_FACE_PASTE_H

#include "sonic.h"

typedef struct sonic_paste sonic_paste;

/* Prepares pasting into `source` [height, width, 3] at `crop_xyxy`, which may reach beyond the image. The edge fades
 * over `feather` (0..0.5) of the square's side; sides on the image's border do not fade. `source` is borrowed and must
 * outlive the handle. One handle belongs to one thread at a time. SONIC_ERROR_ARGUMENT: an empty crop, one that misses
 * the image or is larger than 32768 pixels, a feather out of range. */
sonic_status sonic_paste_create(sonic_paste **out, sonic_image source, const int32_t crop_xyxy[4], double feather);
void sonic_paste_free(sonic_paste *paste);

/* `out` [height, width, 3] becomes the source with `frame` (any size, 3 channels) in its place. Outside the square it
 * is the source, byte for byte; inside the fade it is the resized frame, byte for byte. */
sonic_status sonic_paste_frame(sonic_image out, sonic_paste *paste, sonic_image frame);

/* The same onto `below` [height, width, 3], of the source's size, in place of the source. */
sonic_status sonic_paste_onto(sonic_image below, sonic_paste *paste, sonic_image frame);

#endif
