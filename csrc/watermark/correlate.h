/* correlate.h - circular correlation of two pictures with a pattern at every offset, by Fourier transforms. */
#ifndef SONIC_WATERMARK_CORRELATE_H
#define SONIC_WATERMARK_CORRELATE_H

enum { SONIC_CORRELATE_SIDE = 256, SONIC_CORRELATE_COUNT = SONIC_CORRELATE_SIDE * SONIC_CORRELATE_SIDE };

/* A complex square in two parts, [y][x]. */
typedef struct sonic_spectrum2 {
    float re[SONIC_CORRELATE_COUNT], im[SONIC_CORRELATE_COUNT];
} sonic_spectrum2;

/* The discrete Fourier transform in place, unscaled, transposed: [horizontal frequency][vertical frequency]. */
void sonic_spectrum2_transform(sonic_spectrum2 *square);

/* `pair` holds two pictures, one a part. Afterwards each part holds, at [-y mod 256][-x mod 256], 256^2 times the sum
 * of its picture at (i, j) times the pattern at (i + x, j + y), circularly. pattern: transformed. */
void sonic_correlate(sonic_spectrum2 *pair, const sonic_spectrum2 *pattern);

#endif
