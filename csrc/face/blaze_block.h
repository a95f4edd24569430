/* blaze_block.h - the residual block of the face detector and the face mesh (BlazeFace, Bazarevsky et al. 2019,
 * arXiv:1907.05047, section 3.1). */
#ifndef SONIC_FACE_BLAZE_BLOCK_H
#define SONIC_FACE_BLAZE_BLOCK_H

#include "torch/operators.h"

typedef enum sonic_activation { SONIC_ACTIVATION_NONE, SONIC_ACTIVATION_RELU, SONIC_ACTIVATION_PRELU } sonic_activation;

/* Threads of a network run: a mesh takes 3 ms on one, and further ones cost more than they gain (bench/busy.py). */
enum { SONIC_FACE_THREADS = 1 };

/* The weight `name`.`part`; `scope` fails with its name when it is missing. */
sonic_tensor *sonic_face_weight(sonic_scope *scope, sonic_operator_call *weights, const char *name, const char *part);

/* Convolution with `name`.weight and `name`.bias under TensorFlow's SAME padding, then the activation (`name`.slope for
 * PReLU). `x` is [batch, in, rows, columns] with sides divisible by the stride. */
sonic_tensor *sonic_same_conv(sonic_scope *scope, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                              int64_t stride, sonic_activation activation);

/* Depthwise convolution at `stride`, 1x1 pointwise, plus the shortcut (max-pooled at stride 2, new channels zero),
 * activation. Weights: `name`.depthwise, `name`.pointwise, and `name`.slope for PReLU. */
sonic_tensor *sonic_blaze_block(sonic_scope *scope, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                                int64_t stride, sonic_activation activation);

/* A sequence of blocks, one per digit of `strides` ('1' or '2'), named `name`.first, `name`.first + 1, ... */
sonic_tensor *sonic_blaze_blocks(sonic_scope *scope, sonic_operator_call *weights, const char *name, sonic_tensor *x,
                                 int first, const char *strides, sonic_activation activation);

#endif
