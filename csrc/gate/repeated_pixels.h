/* repeated_pixels.h - enlarging by repeating pixels (nearest neighbour).
 *
 * It leaves steps in some columns and rows alone, those between source pixels, at distances that differ by one pixel at
 * most, and none in the others, over the whole image. Flat drawings have equal neighbours too, but their edges lie
 * anywhere. */
#ifndef SONIC_GATE_REPEATED_PIXELS_H
#define SONIC_GATE_REPEATED_PIXELS_H

#include "core/plane.h"

typedef struct sonic_repeated_pixels {
    float factor;   /* mean distance of the columns and rows with steps, pixels; 0 when there are fewer than 24 */
    float regular;  /* share of those distances that are the mean rounded up or down; the worse direction */
    float contrast; /* mean square step over that of pixels in random order: about 1 in mosaics, below 0.3 in images */
    float variety;  /* effective number (exponential of the entropy) of different steps, of 256 */
} sonic_repeated_pixels;

/* Bytes of scratch memory. */
size_t sonic_repeated_pixels_scratch_size(int32_t width_px, int32_t height_px);

/* deviation: standard deviation of the image, levels. */
void sonic_repeated_pixels_measure(sonic_repeated_pixels *out, const sonic_plane *luma, double deviation,
                                   void *scratch);

#endif
