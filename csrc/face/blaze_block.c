#include "face/blaze_block.h"

#include <stdio.h>

sonic_tensor *sonic_face_weight(sonic_scope *scope, sonic_operator_call *weights, const char *name, const char *part)
{
    sonic_tensor *weight = sonic_operator_tensor(weights, "%s.%s", name, part);
    sonic_scope_fail(scope,
                     weights->scope->status); /* keeps later operators of this scope from replacing the message */
    return weight;
}

static sonic_tensor *activate(sonic_scope *scope, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                              sonic_activation activation)
{
    if (activation == SONIC_ACTIVATION_RELU)
        return st_relu(scope, st_take(x));
    if (activation == SONIC_ACTIVATION_PRELU)
        return st_prelu(scope, st_take(x), sonic_face_weight(scope, weights, name, "slope"));
    return x;
}

/* TensorFlow's SAME padding: an odd total puts the extra row and column at the far side. */
static sonic_tensor *same_pad(sonic_scope *scope, sonic_tensor *x, int64_t kernel, int64_t stride)
{
    int64_t total = kernel > stride ? kernel - stride : 0, near = total / 2, far = total - near;
    int64_t sides[4] = {near, far, near, far};
    return st_pad(scope, x, sides, 4);
}

static sonic_tensor *padded_conv(sonic_scope *scope, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                                 int64_t stride)
{
    sonic_tensor *weight = sonic_face_weight(scope, weights, name, "weight"),
                 *bias = sonic_face_weight(scope, weights, name, "bias");
    int64_t kernel = st_size(weight, 2), groups = st_size(weight, 1) == 1 ? st_size(weight, 0) : 1;
    if (kernel % 2 == 1 && stride == 1)
        return st_conv2d(scope, x, weight, bias, stride, kernel / 2, groups);
    return st_conv2d(scope, st_take(same_pad(scope, x, kernel, stride)), weight, bias, stride, 0, groups);
}

sonic_tensor *sonic_same_conv(sonic_scope *scope, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                              int64_t stride, sonic_activation activation)
{
    return activate(scope, weights, name, padded_conv(scope, weights, name, x, stride), activation);
}

/* `x`, max-pooled at stride 2 and padded with zero channels to `channels`; `x` itself when neither is needed. */
static sonic_tensor *shortcut(sonic_scope *scope, sonic_tensor *x, int64_t stride, int64_t channels)
{
    sonic_tensor *y = stride == 2 ? st_max_pool2d(scope, x, 2, 2) : x;
    int64_t sides[6] = {0, 0, 0, 0, 0, channels - st_size(x, 1)};
    return sides[5] > 0 ? st_pad(scope, y, sides, 6) : y;
}

sonic_tensor *sonic_blaze_block(sonic_scope *outer, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                                int64_t stride, sonic_activation activation)
{
    char part[64];
    sonic_scope s;
    sonic_scope_open(&s, outer);
    snprintf(part, sizeof part, "%s.depthwise", name);
    sonic_tensor *y = sonic_same_conv(&s, weights, part, x, stride, SONIC_ACTIVATION_NONE);
    snprintf(part, sizeof part, "%s.pointwise", name);
    y = sonic_same_conv(&s, weights, part, st_take(y), 1, SONIC_ACTIVATION_NONE);
    y = st_add(&s, st_take(y), shortcut(&s, x, stride, st_size(y, 1)));
    y = st_return(&s, activate(&s, weights, name, y, activation));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

sonic_tensor *sonic_blaze_blocks(sonic_scope *outer, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                                 int first, const char *strides, sonic_activation activation)
{
    char block[64];
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *y = x;
    for (int i = 0; strides[i]; i++) {
        sonic_tensor *before = y;
        snprintf(block, sizeof block, "%s.%d", name, first + i);
        y = sonic_blaze_block(&s, weights, block, before, strides[i] - '0', activation);
        if (before != x)
            st_release(before);
    }
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
