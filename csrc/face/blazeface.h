/* blazeface.h - MediaPipe's face detector for faces near the camera (BlazeFace, arXiv:1907.05047; model "short range").
 *
 *   input   [batch, 3, 128, 128]  RGB, -1..1
 *   stem    conv 5x5 stride 2, ReLU                                         -> [24, 64, 64]
 *   blocks  0-1   24 24       -> 28 at 64x64;   2-4   32 36 42  at 32x32
 *           5-10  48 56 64 72 80 88 at 16x16;   11-15 96 (5 times) at 8x8;  stride 2 at blocks 2, 5 and 11
 *   heads   1x1 convolutions: "fine" on block 10, 2 anchors per position; "coarse" on block 15, 6 anchors
 *   output  scores [batch, 896] (logits), boxes [batch, 896, 16]: centre x, y, width, height, x, y of six keypoints, in
 *           input pixels; centre and keypoints relative to the anchor
 *
 * Keypoints: left eye, right eye, nose tip, mouth, left ear, right ear; left and right in the image. */
#ifndef SONIC_FACE_BLAZEFACE_H
#define SONIC_FACE_BLAZEFACE_H

#include "torch/operators.h"

#define SONIC_BLAZEFACE_SIDE_PX 128
#define SONIC_BLAZEFACE_BOXES 896
#define SONIC_BLAZEFACE_VALUES 16
#define SONIC_FACE_KEYPOINTS 6

typedef struct sonic_detection {
    float score;       /* 0..1 */
    float box_xyxy[4]; /* pixels of the input */
    float keypoints[SONIC_FACE_KEYPOINTS][2];
} sonic_detection;

/* Weights are named detector.stem, detector.block.N, detector.fine, detector.coarse. */
void sonic_blazeface_run(sonic_tensor **scores, sonic_tensor **boxes, sonic_scope *scope, sonic_operator_call *weights,
                         sonic_tensor *x);

/* Detections of one image, best first, at most `capacity`; returns how many. `scores` [896] logits, `boxes` [896, 16].
 * Boxes below `min_score` are dropped; boxes that overlap by more than 0.3 (intersection over union) are merged,
 * weighted by score, as in the WEIGHTED mode of MediaPipe's NonMaxSuppressionCalculator. `scratch` [896]. */
int32_t sonic_blazeface_decode(sonic_detection *out, int32_t capacity, const float *scores, const float *boxes,
                               float min_score, sonic_detection *scratch);

/* Intersection over union of two boxes x0, y0, x1, y1. */
float sonic_box_overlap(const float a[4], const float b[4]);

#endif
