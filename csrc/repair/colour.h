/* colour.h - planes of a JPEG file to RGB: chroma upsampled as decoders do, colours as in JFIF. */
#ifndef SONIC_REPAIR_COLOUR_H
#define SONIC_REPAIR_COLOUR_H

#include "core/plane.h"

/* One component. Samples are levels - 128, so that chroma is around 0. */
typedef struct sonic_component {
    sonic_plane plane;              /* whole blocks: at least the visible size */
    int32_t width_px, height_px;    /* visible */
    int32_t across, down;           /* pixels a sample: 1, 2 or 4 */
    int32_t first_x_px, first_y_px; /* of the first sample, 0 .. across - 1, down - 1 */
    int32_t repeated;               /* 1: samples are repeated; 0: linear upsampling */
} sonic_component;

typedef struct sonic_components {
    sonic_component component[3];
    int32_t count; /* 1 is grey; or 3 */
    int32_t ycc;   /* 1: the three are Y, Cb, Cr (T.871); 0: R, G, B */
} sonic_components;

#define SONIC_UPSAMPLE_MAX 256

/* `count` pixels, at most SONIC_UPSAMPLE_MAX, of row y from pixel `begin`, a multiple of SONIC_UPSAMPLE_MAX; `out`
 * holds SONIC_UPSAMPLE_MAX. */
void sonic_component_upsample(float *out, const sonic_component *component, int32_t y, int32_t begin, int32_t count);

/* rgb: [height][width][3]. */
void sonic_components_to_rgb(sonic_image rgb, const sonic_components *components);

#endif
