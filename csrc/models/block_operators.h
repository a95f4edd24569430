/* block_operators.h - a transformer block as an operator, for benchmarks. */
#ifndef SONIC_MODELS_BLOCK_OPERATORS_H
#define SONIC_MODELS_BLOCK_OPERATORS_H

#include "torch/operators.h"

extern const sonic_operator sonic_block_operators[];

/* Operands, numbers and results are described where each is defined. */
void sonic_transformer_block_operator(sonic_operator_call *call);

#endif
