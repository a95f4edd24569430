/* network_operators.h - the smaller networks as operators. */
#ifndef SONIC_MODELS_NETWORK_OPERATORS_H
#define SONIC_MODELS_NETWORK_OPERATORS_H

#include "torch/operators.h"

/* Ends with an empty entry. Operands, numbers and results are described where each operator is defined. */
extern const sonic_operator sonic_network_operators[];

#endif
