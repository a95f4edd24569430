#include "face/face_mesh.h"

#include <stdio.h>

#include "face/blaze_block.h"
#include "torch/threads.h"

/* The end of both branches: a convolution over the whole 3x3 map. */
static sonic_tensor *out_conv(sonic_scope *scope, sonic_operator_call *weights, const char *branch, sonic_tensor *x)
{
    sonic_tensor *weight = sonic_face_weight(scope, weights, branch, "out.weight"),
                 *bias = sonic_face_weight(scope, weights, branch, "out.bias");
    sonic_tensor *y = st_conv2d(scope, x, weight, bias, 1, 0, 1);
    return st_reshape(scope, st_take(y), st_shape2(st_size(x, 0), -1));
}

static sonic_tensor *run_branch(sonic_scope *outer, sonic_operator_call *weights, const char *branch, sonic_tensor *x,
                                const char *strides)
{
    char name[64];
    sonic_scope s;
    sonic_scope_open(&s, outer);
    snprintf(name, sizeof name, "%s.block", branch);
    sonic_tensor *y = sonic_blaze_blocks(&s, weights, name, x, 0, strides, SONIC_ACTIVATION_PRELU);
    snprintf(name, sizeof name, "%s.reduce", branch);
    y = sonic_same_conv(&s, weights, name, st_take(y), 1, SONIC_ACTIVATION_PRELU);
    snprintf(name, sizeof name, "%s.refine", branch);
    y = sonic_blaze_block(&s, weights, name, y, 1, SONIC_ACTIVATION_PRELU);
    y = st_return(&s, out_conv(&s, weights, branch, y));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

void sonic_face_mesh_run(sonic_tensor **points, sonic_tensor **presence, sonic_scope *outer,
                         sonic_operator_call *weights, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_torch_threads threads = sonic_torch_threads_limit(SONIC_FACE_THREADS);
    sonic_tensor *y = sonic_same_conv(&s, weights, "mesh.stem", x, 2, SONIC_ACTIVATION_PRELU);
    y = sonic_blaze_blocks(&s, weights, "mesh.block", y, 0, "11211211211211", SONIC_ACTIVATION_PRELU);
    *points = st_return(&s, run_branch(&s, weights, "mesh.points", y, "211"));
    *presence = st_return(&s, run_branch(&s, weights, "mesh.presence", y, "2"));
    sonic_torch_threads_restore(threads);
    if (sonic_scope_close(&s) != SONIC_OK)
        *points = *presence = NULL;
}
