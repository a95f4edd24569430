#include "face/blazeface.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/scalar.h"
#include "face/blaze_block.h"
#include "torch/threads.h"

/* [batch, anchors * values, rows, columns] -> [batch, rows * columns * anchors, values]. */
static sonic_tensor *box_list(sonic_scope *scope, sonic_tensor *head, int64_t values)
{
    static const int64_t to_channels_last[] = {0, 2, 3, 1};
    int64_t batch = st_size(head, 0);
    sonic_tensor *rows = st_permute(scope, st_take(head), to_channels_last, 4);
    return st_reshape(scope, st_take(rows), st_shape3(batch, -1, values));
}

static sonic_tensor *join_heads(sonic_scope *scope, sonic_operator_call *weights, const char *names[2],
                                sonic_tensor *maps[2], int64_t values)
{
    sonic_tensor *parts[2];
    for (int i = 0; i < 2; i++)
        parts[i] =
            box_list(scope, sonic_same_conv(scope, weights, names[i], maps[i], 1, SONIC_ACTIVATION_NONE), values);
    return st_cat(scope, parts, 2, 1);
}

void sonic_blazeface_run(sonic_tensor **scores, sonic_tensor **boxes, sonic_scope *outer, sonic_operator_call *weights,
                         sonic_tensor *x)
{
    static const char *score_heads[2] = {"detector.fine.score", "detector.coarse.score"};
    static const char *box_heads[2] = {"detector.fine.box", "detector.coarse.box"};
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_torch_threads threads = sonic_torch_threads_limit(SONIC_FACE_THREADS);
    sonic_tensor *stem = sonic_same_conv(&s, weights, "detector.stem", x, 2, SONIC_ACTIVATION_RELU);
    sonic_tensor *maps[2];
    maps[0] = sonic_blaze_blocks(&s, weights, "detector.block", stem, 0, "11211211111", SONIC_ACTIVATION_RELU);
    maps[1] = sonic_blaze_blocks(&s, weights, "detector.block", maps[0], 11, "21111", SONIC_ACTIVATION_RELU);
    *scores = st_return(&s, join_heads(&s, weights, score_heads, maps, 1));
    *boxes = st_return(&s, join_heads(&s, weights, box_heads, maps, SONIC_BLAZEFACE_VALUES));
    sonic_torch_threads_restore(threads);
    if (sonic_scope_close(&s) != SONIC_OK)
        *scores = *boxes = NULL;
}

/* Centre of anchor `index` in input pixels: a 16x16 grid of 2 anchors, then an 8x8 grid of 6. */
static void anchor(float centre[2], int32_t index)
{
    int32_t fine = 16 * 16 * 2, side = index < fine ? 16 : 8, cell = index < fine ? index / 2 : (index - fine) / 6;
    float pitch = (float)SONIC_BLAZEFACE_SIDE_PX / (float)side;
    centre[0] = ((float)(cell % side) + 0.5f) * pitch;
    centre[1] = ((float)(cell / side) + 0.5f) * pitch;
}

static sonic_detection decode_box(const float values[SONIC_BLAZEFACE_VALUES], int32_t index, float score)
{
    sonic_detection d = {score, {0}, {{0}}};
    float centre[2];
    anchor(centre, index);
    for (int axis = 0; axis < 2; axis++) {
        d.box_xyxy[axis] = centre[axis] + values[axis] - values[2 + axis] / 2;
        d.box_xyxy[2 + axis] = centre[axis] + values[axis] + values[2 + axis] / 2;
        for (int k = 0; k < SONIC_FACE_KEYPOINTS; k++)
            d.keypoints[k][axis] = centre[axis] + values[4 + 2 * k + axis];
    }
    return d;
}

/* MediaPipe clamps logits to +-100, where the sigmoid is 0 or 1 to float precision. */
static float sigmoid(float logit)
{
    float clamped = sonic_clampf(logit, -100, 100);
    return 1 / (1 + expf(-clamped));
}

float sonic_box_overlap(const float a[4], const float b[4])
{
    float width = fminf(a[2], b[2]) - fmaxf(a[0], b[0]), height = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
    if (!(width > 0) || !(height > 0))
        return 0;
    float shared = width * height;
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared);
}

static int by_score(const void *a, const void *b)
{
    float x = ((const sonic_detection *)a)->score, y = ((const sonic_detection *)b)->score;
    return (x < y) - (x > y);
}

static void accumulate(sonic_detection *sum, const sonic_detection *d, float weight)
{
    for (int i = 0; i < 4; i++)
        sum->box_xyxy[i] += d->box_xyxy[i] * weight;
    for (int k = 0; k < SONIC_FACE_KEYPOINTS; k++) {
        sum->keypoints[k][0] += d->keypoints[k][0] * weight;
        sum->keypoints[k][1] += d->keypoints[k][1] * weight;
    }
}

/* Merges the first of `count` sorted detections with all that overlap it and removes them. Returns how many are left.
 */
static int32_t merge_best(sonic_detection *out, sonic_detection *sorted, int32_t count)
{
    const float max_overlap = 0.3f;
    sonic_detection best = sorted[0], sum = {0, {0}, {{0}}};
    float total = 0;
    int32_t left = 0;
    for (int32_t i = 0; i < count; i++) {
        if (i > 0 && sonic_box_overlap(best.box_xyxy, sorted[i].box_xyxy) <= max_overlap) {
            sorted[left++] = sorted[i];
            continue;
        }
        accumulate(&sum, &sorted[i], sorted[i].score);
        total += sorted[i].score;
    }
    memset(out, 0, sizeof *out);
    accumulate(out, &sum, 1 / total);
    out->score = best.score;
    return left;
}

int32_t sonic_blazeface_decode(sonic_detection *out, int32_t capacity, const float *scores, const float *boxes,
                               float min_score, sonic_detection *scratch)
{
    int32_t count = 0, found = 0;
    for (int32_t i = 0; i < SONIC_BLAZEFACE_BOXES; i++) {
        float score = sigmoid(scores[i]);
        if (score >= min_score)
            scratch[count++] = decode_box(boxes + (size_t)i * SONIC_BLAZEFACE_VALUES, i, score);
    }
    qsort(scratch, (size_t)count, sizeof *scratch, by_score);
    while (count > 0 && found < capacity)
        count = merge_best(&out[found++], scratch, count);
    return found;
}
