#include "matting/person_mask.h"

#include <stdio.h>

#include "face/blaze_block.h"
#include "torch/threads.h"

enum { BLOCKS = 8, UPS = 3 };

/* What differs between the blocks. `is_swish`: hard swish instead of ReLU. */
typedef struct block_kind {
    int32_t stride;
    bool is_swish, has_squeeze;
} block_kind;

static const block_kind kinds[BLOCKS] = {{2, false, true}, {2, false, false}, {1, false, false}, {2, true, true},
                                         {1, true, true},  {1, true, true},   {1, true, true},   {1, true, true}};

/* The convolution `prefix`.`part` without activation; `x` may be taken. */
static sonic_tensor *conv(sonic_scope *scope, sonic_operator_call *weights, const char *prefix, const char *part,
                          sonic_tensor *x, int64_t stride)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, part);
    return sonic_same_conv(scope, weights, name, x, stride, SONIC_ACTIVATION_NONE);
}

static sonic_tensor *activate(sonic_scope *scope, sonic_tensor *x, bool is_swish)
{
    return is_swish ? st_hard_swish(scope, st_take(x)) : st_relu(scope, st_take(x));
}

/* Factors of channels, [batch, channels, 1, 1]: from the means of `x` through two 1x1 convolutions
 * (squeeze-and-excitation, arXiv:1709.01507). */
static sonic_tensor *excitation(sonic_scope *scope, sonic_operator_call *weights, const char *prefix, sonic_tensor *x)
{
    sonic_tensor *y = st_avg_pool2d(scope, x, st_size(x, 2), st_size(x, 2));
    y = st_relu(scope, st_take(conv(scope, weights, prefix, ".squeeze", st_take(y), 1)));
    return st_sigmoid(scope, st_take(conv(scope, weights, prefix, ".excite", st_take(y), 1)));
}

static sonic_tensor *run_block(sonic_scope *outer, sonic_operator_call *weights, int index, sonic_tensor *x)
{
    const block_kind kind = kinds[index];
    char prefix[32];
    snprintf(prefix, sizeof prefix, "block.%d", index);
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *y = activate(&s, conv(&s, weights, prefix, ".expand", x, 1), kind.is_swish);
    y = activate(&s, conv(&s, weights, prefix, ".depthwise", st_take(y), kind.stride), kind.is_swish);
    if (kind.has_squeeze)
        y = st_mul_in_place(&s, y, excitation(&s, weights, prefix, y));
    y = conv(&s, weights, prefix, ".project", st_take(y), 1);
    if (kind.stride == 1)
        y = st_add_in_place(&s, y, x);
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* What the whole picture says about each cell of the coarsest map. */
static sonic_tensor *context(sonic_scope *outer, sonic_operator_call *weights, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *mean = st_avg_pool2d(&s, x, st_size(x, 2), st_size(x, 2));
    sonic_tensor *gate = st_sigmoid(&s, st_take(conv(&s, weights, "context", ".gate", st_take(mean), 1)));
    sonic_tensor *y = st_relu(&s, st_take(conv(&s, weights, "context", ".value", x, 1)));
    y = st_return(&s, st_mul_in_place(&s, y, gate));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* `x` at twice its size, joined with `skip`, the encoder's map of that size. */
static sonic_tensor *run_up(sonic_scope *outer, sonic_operator_call *weights, int index, sonic_tensor *x,
                            sonic_tensor *skip)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "up.%d", index);
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *low = st_resize_bilinear(&s, x, st_size(skip, 2), st_size(skip, 3));
    low = conv(&s, weights, prefix, ".reduce", st_take(low), 1);
    sonic_tensor *both = st_add(&s, skip, low);
    sonic_tensor *y = st_mul(&s, skip, excitation(&s, weights, prefix, both));
    y = st_add_in_place(&s, y, low);
    y = st_relu(&s, st_take(conv(&s, weights, prefix, ".mix", st_take(y), 1)));
    sonic_tensor *refined = st_relu(&s, st_take(conv(&s, weights, prefix, ".refine", y, 1)));
    y = st_return(&s, st_add_in_place(&s, refined, y));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

static sonic_tensor *out_conv(sonic_scope *scope, sonic_operator_call *weights, sonic_tensor *x)
{
    sonic_tensor *weight = sonic_face_weight(scope, weights, "out", "weight"),
                 *bias = sonic_face_weight(scope, weights, "out", "bias");
    return st_sigmoid(scope, st_take(st_conv_transpose2d(scope, x, weight, bias, 2, 0)));
}

sonic_tensor *sonic_person_mask_run(sonic_scope *outer, sonic_operator_call *weights, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_torch_threads threads = sonic_torch_threads_limit(SONIC_FACE_THREADS);
    sonic_tensor *y = sonic_same_conv(&s, weights, "stem", st_take(st_channels_last(&s, x)), 2, SONIC_ACTIVATION_NONE);
    sonic_tensor *skips[UPS] = {st_hard_swish(&s, st_take(y)), NULL, NULL};
    y = skips[0];
    for (int i = 0; i < BLOCKS; i++) {
        y = run_block(&s, weights, i, y);
        if (i == 0 || i == 2)
            skips[i == 0 ? 1 : 2] = y;
    }
    y = context(&s, weights, y);
    for (int i = 0; i < UPS; i++)
        y = run_up(&s, weights, i, y, skips[UPS - 1 - i]);
    y = st_return(&s, out_conv(&s, weights, y));
    sonic_torch_threads_restore(threads);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
