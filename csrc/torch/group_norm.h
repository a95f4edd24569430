/* group_norm.h - group normalisation of activations whose channels lie next to each other in memory.
 *
 * libtorch's kernel for that layout sums squares in float32 and subtracts: 5e-6 off where a group has a million values
 * and a mean of one and a half deviations, and 1e-7 for the other layout. This one sums in double. */
#ifndef SONIC_TORCH_GROUP_NORM_H
#define SONIC_TORCH_GROUP_NORM_H

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out and x [batch, tokens, channels]; statistics over tokens and channels / groups (Wu and He, 2018); weight and bias
 * [channels]. */
sonic_status sonic_group_norm(float *out, const float *x, int64_t batch, int64_t tokens, int64_t channels,
                              int64_t groups, const float *weight, const float *bias, double epsilon);

#ifdef __cplusplus
}
#endif
#endif
