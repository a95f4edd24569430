/* block_operators.h - a transformer block as an operator, for benchmarks. */
#ifndef SONIC_MODELS_BLOCK_OPERATORS_H
#define SONIC_MODELS_BLOCK_OPERATORS_H

#include "torch/operators.h"

/* Ends with an empty entry. Operands, numbers and results are described where each operator is defined. */
extern const sonic_operator sonic_block_operators[];

#endif
