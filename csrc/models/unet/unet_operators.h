/* unet_operators.h - the UNet as operators. */
#ifndef SONIC_MODELS_UNET_UNET_OPERATORS_H
#define SONIC_MODELS_UNET_UNET_OPERATORS_H

#include "torch/operators.h"

extern const sonic_operator sonic_unet_operators[];

/* Operands, numbers and results are described where each is defined. */
void sonic_unet_prepare_operator(sonic_operator_call *call);
void sonic_unet_step_operator(sonic_operator_call *call);

#endif
