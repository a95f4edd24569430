/* unet_operators.h - the UNet as operators. */
#ifndef SONIC_MODELS_UNET_UNET_OPERATORS_H
#define SONIC_MODELS_UNET_UNET_OPERATORS_H

#include "torch/operators.h"

/* Ends with an empty entry. Operands, numbers and results are described where each operator is defined. */
extern const sonic_operator sonic_unet_operators[];

#endif
