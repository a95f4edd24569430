/* pixels.h - removes JPEG artefacts from decoded pixels, given the grid and the tables of the compression. */
#ifndef SONIC_REPAIR_PIXELS_H
#define SONIC_REPAIR_PIXELS_H

#include "repair/chroma.h"

/* RGB, [height_px][width_px][3]: bytes or floats, the other is NULL. */
typedef struct sonic_pixels {
    uint8_t *bytes;
    float *floats; /* 0..1 */
    int32_t width_px, height_px;
} sonic_pixels;

typedef struct sonic_pixels_repair {
    double fit;          /* of luma to its grid (quant_fit.h); below SONIC_QUANT_FIT_CONFIDENT nothing was changed */
    sonic_chroma chroma; /* across is 0 when no grid fits: then chroma is unchanged */
} sonic_pixels_repair;

/* How well luma fits a grid, 0..1. Takes 4 bytes a pixel; SONIC_ERROR_MEMORY. */
sonic_status sonic_pixels_fit(double *fit, sonic_pixels *pixels, const sonic_repair_grid *luma);

/* Estimates luma->steps from its place (table_estimate.h). known: number of estimated steps. Takes 4 bytes a pixel and
 * 1 MB; SONIC_ERROR_MEMORY. */
sonic_status sonic_pixels_estimate_table(int32_t *known, sonic_repair_grid *luma, sonic_pixels *pixels);

/* Repairs in place. chroma_steps: [64]. Takes 20 bytes a pixel and 11 MB; SONIC_ERROR_MEMORY and SONIC_ERROR_CANCELLED
 * leave the pixels unchanged. */
sonic_status sonic_repair_pixels(sonic_pixels_repair *out, sonic_pixels *pixels, const sonic_repair_grid *luma,
                                 const float chroma_steps[64]);

#endif
