/* kernel_operators.h - the functions of fused.h as operators, for tests and benches. */
#ifndef SONIC_KERNELS_KERNEL_OPERATORS_H
#define SONIC_KERNELS_KERNEL_OPERATORS_H

#include "torch/operators.h"

extern const sonic_operator sonic_kernel_operators[];

#endif
