/* operators.h - how Python's tensors reach C: operators registered with libtorch's dispatcher, all of one schema,
 *
 *     name(Tensor[] tensors, str names, float[] numbers) -> Tensor[]
 *
 * `names` gives each tensor its name, one a line, so that a network finds its weights by the names of the weight file.
 * After the last tensor's name, lines that begin with '?' are requests, in this order:
 *
 *     ?!      fail with the name of the first layer whose output holds NaN or infinity
 *     ?#      return the cost of the call (sonic_cost_reading, int64 [6]) after the results;
 *             ?#gpu in its place counts tensors of the meta device as on a GPU
 *     ?NAME   return the output of the layer NAME (sonic_operator_probe), one a line, after everything else
 *
 * An operator that fails returns an empty list, and reports why to its caller (operator_outcome.h).
 *
 * Each stage declares a table of its operators; bindings/operators_py.c registers them all. */
#ifndef SONIC_TORCH_OPERATORS_H
#define SONIC_TORCH_OPERATORS_H

#include "torch/tensor.h"
#include "torch/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SONIC_OPERATOR_MAX_OUTPUTS 16

typedef struct sonic_streamed_weights sonic_streamed_weights; /* streamed_weights.h */

typedef struct sonic_operator_call {
    sonic_scope *scope;
    sonic_tensor **tensors; /* [count], owned by `scope` */
    const char *names;      /* [count] names, each ended by a newline */
    int32_t count;
    const sonic_weights *weights; /* the same tensors by name */
    const double *numbers;
    int32_t number_count;
    sonic_tensor *outputs[SONIC_OPERATOR_MAX_OUTPUTS]; /* filled by the operator */
    int32_t output_count;
    sonic_tensor **probes; /* [probe_count], filled by sonic_operator_probe, returned after the outputs */
    const char *probe_names;
    int32_t probe_count;
    bool check_finite;
    sonic_streamed_weights *streamed; /* NULL: each weight in host memory is copied when it is asked for */
} sonic_operator_call;

/* The tensor called `name` (printf format); NULL and a failed scope when there is none. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
sonic_tensor *
sonic_operator_tensor(sonic_operator_call *call, const char *name, ...);

/* Adds an output. */
void sonic_operator_return(sonic_operator_call *call, sonic_tensor *x);

/* Reports `x` as the output of the layer called `name` (printf format): a copy is kept if the caller requested that
 * layer, and its values are checked if the caller requested "?!". Without requests it costs one comparison. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void sonic_operator_probe(sonic_operator_call *call, sonic_tensor *x, const char *name, ...);

typedef void (*sonic_operator_function)(sonic_operator_call *call);

/* An entry of a stage's table, which ends with {NULL, NULL}. */
typedef struct sonic_operator {
    const char *name;
    sonic_operator_function run;
} sonic_operator;

/* Registers the operators of `count` tables under the dispatcher namespace `space`. Loading the same file twice is no
 * error. The caller holds the GIL: registration is not thread-safe. */
sonic_status sonic_operators_register(const char *space, const sonic_operator *const *tables, int32_t count);

#ifdef __cplusplus
}
#endif
#endif
