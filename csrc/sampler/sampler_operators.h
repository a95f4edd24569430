/* sampler_operators.h - the denoising loop as an operator. */
#ifndef SONIC_SAMPLER_SAMPLER_OPERATORS_H
#define SONIC_SAMPLER_SAMPLER_OPERATORS_H

#include "torch/operators.h"

/* Ends with an empty entry. Operands, numbers and results are described where each operator is defined. */
extern const sonic_operator sonic_sampler_operators[];

#endif
