/* face_operators.h - the face networks and the face search as operators. */
#ifndef SONIC_FACE_FACE_OPERATORS_H
#define SONIC_FACE_FACE_OPERATORS_H

#include "torch/operators.h"

/* Ends with an empty entry. Operands, numbers and results are described where each operator is defined. */
extern const sonic_operator sonic_face_operators[];

#endif
