/* jpeg.h - what a JPEG file says about itself, without decoding its pixels. */
#ifndef SONIC_GATE_JPEG_H
#define SONIC_GATE_JPEG_H

#include "gate/likelihood.h"
#include "gate/quality.h"

/* A file with more scans or pixels than these is refused: decoders spend time on each scan of every pixel. */
#define SONIC_JPEG_SCANS_MAX 100
#define SONIC_JPEG_PIXELS_MAX 89478485
/* Above this number the coefficients are not read, only the headers: libjpeg keeps 2 bytes for each coefficient. */
#define SONIC_JPEG_COEFFICIENT_PIXELS_MAX 25000000

typedef struct sonic_jpeg_facts {
    int32_t width_px, height_px, components;
    int32_t luma_quality, luma_standard;     /* quality.h */
    int32_t chroma_quality, chroma_standard; /* 0 when there is no chroma */
    int32_t horizontal, vertical;            /* chroma subsampling: 2, 2 is 4:2:0 */
    int32_t progressive, scans;
    int32_t warnings;     /* libjpeg's: damaged data, missing end */
    int32_t coefficients; /* 1 when they were read */
    /* Of a coarser compression before the last on the same grid; 0 when none shows */
    int32_t earlier_quality;
    float earlier_likelihood;
} sonic_jpeg_facts;

/* Whether the bytes begin as a JPEG file does. */
int32_t sonic_jpeg_is(const uint8_t *bytes, size_t size);

/* SONIC_ERROR_FORMAT when the headers cannot be read or exceed the bounds above. Damage in the data is counted in
 * `warnings`. */
sonic_status sonic_jpeg_read(sonic_jpeg_facts *out, const uint8_t *bytes, size_t size, int32_t with_coefficients);

#endif
