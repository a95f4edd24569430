/* face_operators.h - the face networks and the face search as operators. */
#ifndef SONIC_FACE_FACE_OPERATORS_H
#define SONIC_FACE_FACE_OPERATORS_H

#include "torch/operators.h"

extern const sonic_operator sonic_face_operators[];

/* Operands, numbers and results are described where each is defined. */
void sonic_face_detector_operator(sonic_operator_call *call);
void sonic_face_mesh_operator(sonic_operator_call *call);
void sonic_face_find_operator(sonic_operator_call *call);
void sonic_face_fit_operator(sonic_operator_call *call);
void sonic_face_track_operator(sonic_operator_call *call);

#endif
