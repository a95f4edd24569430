/* sample_operators.h - the denoising loop as an operator. */
#ifndef SONIC_SAMPLER_SAMPLE_OPERATORS_H
#define SONIC_SAMPLER_SAMPLE_OPERATORS_H

#include "torch/operators.h"

extern const sonic_operator sonic_sampler_operators[];

/* Operands, numbers and results are described where each is defined. */
void sonic_sample_operator(sonic_operator_call *call);

#endif
