/* picture.h - an image from a fuzzer's bytes.
 *
 * width - 16, height - 16 (a byte each: 16 .. 271 pixels), face box x0, y0, x1, y1 (signed, units of 4 pixels), padding
 * of a row in bytes, slope; then the pixels, repeated until the image is full. The slope is added to them, so few bytes
 * make a large image that is not periodic. tests/gate/test_fuzz.py reads the same format. */
#ifndef SONIC_FUZZ_PICTURE_H
#define SONIC_FUZZ_PICTURE_H

#include "fuzz.h"
#include "gate/sharpness.h"

#define SONIC_FUZZ_HEADER 8

typedef struct fuzz_picture {
    sonic_image image; /* data: allocated, exactly as large as stride and last row need */
    sonic_box face;
} fuzz_picture;

static inline int fuzz_picture_make(fuzz_picture *out, const uint8_t *bytes, size_t size)
{
    if (size <= SONIC_FUZZ_HEADER)
        return 0;
    const uint8_t *pixels = bytes + SONIC_FUZZ_HEADER;
    const int32_t width = bytes[0] + 16, height = bytes[1] + 16;
    const ptrdiff_t stride = 3 * width + bytes[6];
    const size_t count = (size_t)(stride * (height - 1) + 3 * width);
    out->face = (sonic_box){4 * (int8_t)bytes[2], 4 * (int8_t)bytes[3], 4 * (int8_t)bytes[4], 4 * (int8_t)bytes[5]};
    out->image = (sonic_image){malloc(count), width, height, 3, stride};
    if (!out->image.data)
        return 0;
    for (size_t i = 0; i < count; i++)
        out->image.data[i] = (uint8_t)(pixels[i % (size - SONIC_FUZZ_HEADER)] + (i / 3 * (bytes[7] & 15) >> 6) +
                                       (i / (size_t)stride * (bytes[7] >> 4) >> 2));
    return 1;
}

#endif
