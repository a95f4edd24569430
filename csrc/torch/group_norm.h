/* group_norm.h - group normalisation of channels-last activations, summed in double.
 *
 * libtorch's channels-last kernel sums squares in float32 and subtracts: with a million values a group and a mean
 * of 1.5 standard deviations its error is 5e-6 (1e-7 with contiguous channels). */
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
