/* tensor_operator.h - every function of tensor.h as an operator, chosen by name: tests compare it with eager PyTorch.
 *
 * tensors: the operands in order; names: "op=" and the function; numbers: its numbers in order. "op=relu*1000" runs it
 * a thousand more times: bench/operator_call.py measures the cost of a call without Python. */
#ifndef SONIC_TORCH_TENSOR_OPERATOR_H
#define SONIC_TORCH_TENSOR_OPERATOR_H

#include "torch/operators.h"

extern const sonic_operator sonic_tensor_operators[];

#endif
