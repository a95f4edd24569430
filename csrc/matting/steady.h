/* steady.h - one mask a frame, made steady over time: where the picture moves, the mask of the frame before moves with
 * it; where the picture stays the same, the new mask counts little. */
#ifndef SONIC_MATTING_STEADY_H
#define SONIC_MATTING_STEADY_H

#include "matting/grid.h"

/* Planes of scratch memory, [256][256] each. */
enum { SONIC_STEADY_SCRATCH = 16 };

/* mask <- what stays of `before`, the steady mask of the frame before, mixed with `mask`, the network's for this frame.
 * luma_before, luma: brightness of both frames, 0..1. Motion is one step of Lucas and Kanade (IJCAI 1981) in windows of
 * 13 x 13 cells, at most 2 cells a frame; what it leaves unexplained, against the frame's median, is the weight of the
 * new mask: a tenth (a mean over about 19 frames) where nothing is left, 1 from 9 levels of 255 on. Returns 0 after a
 * scene cut, where `mask` stays as it was. */
int32_t sonic_steady_mix(float *mask, const float *before, const float *luma_before, const float *luma, float *scratch);

#endif
