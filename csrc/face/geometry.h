/* geometry.h - from a face box to the square that is animated.
 *
 * Boxes are x0, y0, x1, y1 in pixels of the image, x1 and y1 exclusive. Rounding is to the nearest integer, halves to
 * even, as in the Sonic model's own preparation: the results are equal to the pixel (tests/golden/README.md,
 * `preprocess`). */
#ifndef SONIC_FACE_GEOMETRY_H
#define SONIC_FACE_GEOMETRY_H

#include "sonic.h"

/* The longest side of a prepared image. */
#define SONIC_PREPARED_SIDE_MAX_PX 8192

/* The square around a face: the box grows by `expand_ratio` (0..4) of its size on every side, is clamped to the
 * image, and the square of its shorter side slides along the longer one towards the face. SONIC_ERROR_ARGUMENT: box
 * or ratio not finite, box empty or outside the image. */
sonic_status sonic_crop_square(int32_t crop_xyxy[4], const double face_xyxy[4], double expand_ratio, int32_t width_px,
                               int32_t height_px);

/* Width of a face in the prepared image that the model can move: two tiles of the coarsest grid with audio attention
 * (64 px each), 16 latents of the autoencoder. */
#define SONIC_WIDE_FACE_PX 128
/* The most that a prepared image may be longer than it is wide. */
#define SONIC_ASPECT_MAX 4

/* The widest crop whose face is still SONIC_WIDE_FACE_PX wide (its shorter side) once the crop's shorter side is
 * resized to `min_resolution_px` (64..2048): the whole image where it is, else a box of the image's proportions around
 * the face, no more than SONIC_ASPECT_MAX times as long as wide, that the resize to multiples of 64 does not distort.
 * It holds the face and is never smaller than sonic_crop_square, even where the face then stays smaller. Errors as
 * there. */
sonic_status sonic_crop_wide(int32_t crop_xyxy[4], const double face_xyxy[4], double expand_ratio, int32_t width_px,
                             int32_t height_px, int32_t min_resolution_px);

/* The size that an image is resized to: shorter side about `min_resolution_px` (64..2048), both sides multiples of 64.
 * SONIC_ERROR_ARGUMENT: a side would be longer than SONIC_PREPARED_SIDE_MAX_PX or round to nothing. */
sonic_status sonic_prepared_size(int32_t *out_width_px, int32_t *out_height_px, int32_t width_px, int32_t height_px,
                                 int32_t min_resolution_px);

/* 255 inside the face box scaled by `area` (1.1: a tenth larger) about its centre, 0 elsewhere; `mask` [height, width,
 * 1]. `box_xywh`: left, top, width, height. */
sonic_status sonic_face_mask(sonic_image mask, const double box_xywh[4], double area);

#endif
