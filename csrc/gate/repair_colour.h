/* repair_colour.h - planes of a JPEG file to RGB: chroma enlarged as decoders do it, colours by JFIF's formulas. */
#ifndef SONIC_GATE_REPAIR_COLOUR_H
#define SONIC_GATE_REPAIR_COLOUR_H

#include "gate/plane.h"

/* One component. Samples are levels - 128, so that chroma is around 0. */
typedef struct sonic_component {
    sonic_plane plane;           /* whole blocks: larger than what is shown */
    int32_t width_px, height_px; /* shown */
    int32_t across, down;        /* pixels for each sample: 1..4 */
} sonic_component;

typedef struct sonic_components {
    sonic_component of[3];
    int32_t count; /* 1: grey; 3 */
    int32_t ycc;   /* 1: the three are Y, Cb, Cr (T.871); 0: R, G, B */
} sonic_components;

/* rgb: [height][width][3]. Samples lie in the middle of their pixels, what is between them is a straight line. */
void sonic_components_to_rgb(sonic_image rgb, const sonic_components *components);

#endif
