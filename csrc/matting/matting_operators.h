/* matting_operators.h - the segmentation network as an operator. */
#ifndef SONIC_MATTING_MATTING_OPERATORS_H
#define SONIC_MATTING_MATTING_OPERATORS_H

#include "torch/operators.h"

/* Ends with an empty entry. Operands, numbers and results are described where each operator is defined. */
extern const sonic_operator sonic_matting_operators[];

#endif
