/* pixels.h - artefacts taken back in a picture that was a JPEG once, from where its grid lies and what its tables were.
 */
#ifndef SONIC_REPAIR_PIXELS_H
#define SONIC_REPAIR_PIXELS_H

#include "repair/chroma.h"

/* RGB, [height_px][width_px][3]: one of the two is set, the other NULL. */
typedef struct sonic_pixels {
    uint8_t *bytes;
    float *shares; /* 0..1 */
    int32_t width_px, height_px;
} sonic_pixels;

typedef struct sonic_pixels_repair {
    double fit;          /* of luma on its grid (repair_fit.h); below SONIC_QUANT_FIT_CONFIDENT nothing was changed */
    sonic_chroma chroma; /* across is 0 when its grid is not certain: it is left alone then */
} sonic_pixels_repair;

/* How well luma lies on a grid. Takes 4 bytes for each pixel; SONIC_ERROR_MEMORY. */
sonic_status sonic_pixels_fit(double *fit, sonic_pixels *pixels, const sonic_repair_grid *luma);

/* The table of luma for a grid whose place is given (repair_steps.h), and how many of its steps the picture tells.
 * Takes 4 bytes for each pixel and 1 MB; SONIC_ERROR_MEMORY. */
sonic_status sonic_pixels_estimate_table(int32_t *known, sonic_repair_grid *luma, sonic_pixels *pixels);

/* In place, what is known of `luma` and [64] steps of chroma. Takes 20 bytes for each pixel and 11 MB;
 * SONIC_ERROR_MEMORY, SONIC_ERROR_CANCELLED: nothing was changed then. */
sonic_status sonic_repair_pixels(sonic_pixels_repair *out, sonic_pixels *pixels, const sonic_repair_grid *luma,
                                 const float chroma_steps[64]);

#endif
