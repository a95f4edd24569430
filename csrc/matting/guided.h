/* guided.h - the guided filter for a colour picture (He, Sun and Tang, IEEE TPAMI 35, 2013, equations 14 to 16): a mask
 * whose edges follow those of the picture, as a linear function of colour in each neighbourhood. The function is found
 * on the grid and evaluated at the frame's resolution ("Fast guided filter", arXiv:1505.00996). */
#ifndef SONIC_MATTING_GUIDED_H
#define SONIC_MATTING_GUIDED_H

#include "matting/grid.h"

/* Planes of scratch memory, [256][256] each. */
enum { SONIC_GUIDED_SCRATCH = 30 };

/* coefficients [4][256][256]: opacity = red c0 + green c1 + blue c2 + c3, colours 0..1, not yet clamped. guide
 * [3][256][256], mask [256][256], radius in cells. */
void sonic_guided_fit(float *coefficients, const float *guide, const float *mask, const int32_t radius[2],
                      float *scratch);

#endif
