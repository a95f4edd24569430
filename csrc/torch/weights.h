/* weights.h - tensors by name: how a network finds its weights among the operands of one call. The hash table is built
 * once per call (about 0.1 us a tensor) and borrows the tensors. */
#ifndef SONIC_TORCH_WEIGHTS_H
#define SONIC_TORCH_WEIGHTS_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_weights sonic_weights;

/* `names`: one a line, in the order of `tensors`; borrowed like the tensors, until sonic_weights_free. */
sonic_status sonic_weights_create(sonic_weights **out, sonic_tensor *const *tensors, int32_t count, const char *names);
/* Those whose name begins with `prefix`, by the rest of it. */
sonic_status sonic_weights_create_part(sonic_weights **out, sonic_tensor *const *tensors, int32_t count,
                                       const char *names, const char *prefix);
void sonic_weights_free(sonic_weights *weights);

/* The tensor called `name` (printf format, at most 159 bytes), or NULL. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
sonic_tensor *
sonic_weights_find(const sonic_weights *weights, const char *name, ...);

/* The same, but a missing tensor fails `scope` with a message that names it. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
sonic_tensor *
sonic_weights_get(sonic_scope *scope, const sonic_weights *weights, const char *name, ...);

#ifdef __cplusplus
}
#endif
#endif
