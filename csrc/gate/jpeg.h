/* jpeg.h - what a JPEG file states about itself: headers, quantisation tables and coefficients, without its pixels. */
#ifndef SONIC_GATE_JPEG_H
#define SONIC_GATE_JPEG_H

#include "sonic.h"
#include "gate/double_compression.h"
#include "gate/quality.h"

/* Files with more pixels are refused. */
#define SONIC_JPEG_PIXELS_MAX 89478485
/* Above this size only the headers are read: libjpeg keeps 2 bytes for each coefficient. */
#define SONIC_JPEG_COEFFICIENT_PIXELS_MAX 25000000

typedef struct sonic_jpeg_facts {
    int32_t width_px, height_px, components;
    sonic_quality_estimate luma, chroma; /* tables; chroma is 0 without chroma */
    int32_t horizontal, vertical;        /* chroma subsampling: 2, 2 is 4:2:0 */
    int32_t progressive, scans;
    int32_t warnings;                 /* libjpeg's: damaged data, missing end */
    int32_t coefficients;             /* 1 when they were read */
    sonic_double_compression primary; /* a coarser compression before the last on the same grid */
} sonic_jpeg_facts;

/* Whether the bytes begin as a JPEG file does. */
int32_t sonic_jpeg_is(const uint8_t *bytes, size_t size);

/* with_coefficients: 0 reads the headers alone. SONIC_ERROR_FORMAT when the headers cannot be read or exceed the limits
 * above; damaged data count in `warnings`. */
sonic_status sonic_jpeg_read(sonic_jpeg_facts *out, const uint8_t *bytes, size_t size, int32_t with_coefficients);

#endif
