/* fused.h - groups of operators that a card computes in one kernel, and their twins in PyTorch's operators.
 *
 * A kernel is chosen where the device has one (launch.h) and the tensors meet its constraints, stated here; else the
 * twin computes the same: on the CPU, on a card without a compiler, and in a dry run. Both round once an operator, to
 * the type of the tensors, the kernel fewer times: in float16 they differ by 1e-3 of the largest value. */
#ifndef SONIC_KERNELS_FUSED_H
#define SONIC_KERNELS_FUSED_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether kernels compute with tensors like x. A caller that can leave a bias to the next kernel asks this first. */
bool sonic_fused_on_device(const sonic_scope *scope, const sonic_tensor *x);

/* GN(x + before), followed by SiLU if asked: st_group_norm_last. x [images, ..., channels]; before [channels] or NULL.
 * The kernel: all contiguous, of one type; channels / groups even; at most 4096 channels, 256 groups, 65535 images. */
sonic_tensor *sonic_fused_group_norm(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *before,
                                     sonic_tensor *weight, sonic_tensor *bias, double epsilon, bool silu);

/* a GELU(g) of both [rows, 2 width] = [a, g], in the place of a: a view [rows, width]. The kernel: contiguous, width
 * even. */
sonic_tensor *sonic_fused_geglu(sonic_scope *scope, sonic_tensor *both);

/* x += before, in place, and LN of the sum over the last dimension. before [channels] or NULL, which leaves x as it
 * is. The kernel: all of one type; contiguous, but x may be a rectangle of pictures [images, lines, columns, channels];
 * channels even. */
sonic_tensor *sonic_fused_layer_norm(sonic_scope *scope, sonic_tensor *x, sonic_tensor *before, sonic_tensor *weight,
                                     sonic_tensor *bias, double epsilon);

/* x += factor y + bias, in place; bias over the last dimension. The kernel: all contiguous, of one type; x and y of one
 * shape; channels even. */
void sonic_fused_add_scaled(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, double factor, sonic_tensor *bias);

#ifdef __cplusplus
}
#endif
#endif
