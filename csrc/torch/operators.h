/* operators.h - how Python's tensors reach C: operators registered with libtorch's dispatcher, all of one schema,
 *
 *     name(Tensor[] tensors, str names, float[] numbers) -> Tensor[]
 *
 * `names` gives each tensor its name, one a line, so that a network asks for its weights by the names of the weight file. */
#ifndef SONIC_TORCH_OPERATORS_H
#define SONIC_TORCH_OPERATORS_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_operator_call {
    sonic_scope *scope;
    sonic_tensor **tensors; /* [count], owned by `scope` */
    const char *names;      /* [count] names, each ended by a newline */
    int32_t count;
    const double *numbers;
    int32_t number_count;
    sonic_tensor **outputs; /* filled by the operator, [output_count] used */
    int32_t output_count;
} sonic_operator_call;

#define SONIC_OPERATOR_MAX_OUTPUTS 16

/* The tensor called `name` (printf format); NULL and a failed scope when it is not there. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
sonic_tensor *sonic_operator_tensor(sonic_operator_call *call, const char *name, ...);

/* Adds an output. */
void sonic_operator_return(sonic_operator_call *call, sonic_tensor *x);

/* Registers every operator of the table in operators.cpp under `space`. Loading the same file twice is no error. */
sonic_status sonic_operators_register(const char *space);

/* The operators themselves, each where its networks live. */
void sonic_tensor_operator(sonic_operator_call *call); /* tensor_operator.c: one function of tensor.h by name, for tests */
void sonic_face_detector_operator(sonic_operator_call *call); /* face/face_operators.c, as the next three */
void sonic_face_mesh_operator(sonic_operator_call *call);
void sonic_face_find_operator(sonic_operator_call *call);
void sonic_face_fit_operator(sonic_operator_call *call);

#ifdef __cplusplus
}
#endif
#endif
