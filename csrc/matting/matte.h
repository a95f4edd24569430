/* matte.h - a clip of a person before another background, frame by frame:
 *
 *     sonic_matte_create(&matte, width, height);
 *     for each frame:
 *         sonic_matte_see(planes, matte, frame)       the network's input
 *         sonic_matte_update(&share, matte, mask)     the network's output (person_mask.h)
 *         sonic_matte_compose(out, matte, frame, backdrop)
 *     sonic_matte_free(matte);
 *
 * Memory does not grow with the clip; no frame waits for a later one. */
#ifndef SONIC_MATTING_MATTE_H
#define SONIC_MATTING_MATTE_H

#include "matting/compose.h"

#define SONIC_MATTE_SIDE_MAX_PX 8192

typedef struct sonic_matte sonic_matte;

/* For frames of width_px x height_px (1..8192). SONIC_ERROR_ARGUMENT, SONIC_ERROR_MEMORY. */
sonic_status sonic_matte_create(sonic_matte **out, int32_t width_px, int32_t height_px);
void sonic_matte_free(sonic_matte *matte);

/* planes [3][256][256]: the next frame [height, width, 3] as the network takes it. SONIC_ERROR_SHAPE: another size. */
sonic_status sonic_matte_see(float *planes, sonic_matte *matte, sonic_image frame);

/* mask [256][256], 0..1: the network's answer. *share: the part of the frame, 0..1, that shows a person. */
void sonic_matte_update(float *share, sonic_matte *matte, const float *mask);

/* The frame before the backdrop: out [height, width, 3], or 4 channels for SONIC_BACKDROP_TRANSPARENT. At the edges the
 * old background is taken out of the colours (blur fusion, Forte, IEEE ICIP 2021, arXiv:2006.14970).
 * SONIC_ERROR_SHAPE: another size, or a picture of another size. */
sonic_status sonic_matte_compose(sonic_image out, sonic_matte *matte, sonic_image frame,
                                 const sonic_backdrop *backdrop);

#endif
