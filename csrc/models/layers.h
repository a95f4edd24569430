/* layers.h - the layers that the networks share: each is its mathematics and the names of its weights.
 *
 * A sonic_network is a network's view of the weights: the call that holds them and the prefix under which the file
 * names them. Sizes come from the shapes of the weights. A network computes in the dtype of its weights; operands may
 * be taken (st_take).
 */
#ifndef SONIC_MODELS_LAYERS_H
#define SONIC_MODELS_LAYERS_H

#include "torch/operators.h"

#define SONIC_NAME_BYTES 160

#if defined(__GNUC__)
#define SONIC_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))
#else
#define SONIC_PRINTF(text, arguments)
#endif

typedef struct sonic_network {
    sonic_operator_call *call;
    char prefix[SONIC_NAME_BYTES]; /* ends with a full stop, or is empty */
} sonic_network;

/* The part of `call`'s weights whose names begin with the prefix (printf format). */
sonic_network sonic_network_at(sonic_operator_call *call, const char *prefix, ...) SONIC_PRINTF(2, 3);
/* A part of a network: `name` and a full stop are added to its prefix. */
sonic_network sonic_network_part(const sonic_network *network, const char *name, ...) SONIC_PRINTF(2, 3);
/* Whether there is a weight of that name. */
bool sonic_network_has(const sonic_network *network, const char *name, ...) SONIC_PRINTF(2, 3);
/* The weight of that name; sonic_layer_weight fails `scope` when it is absent, sonic_layer_find returns NULL. */
sonic_tensor *sonic_layer_weight(sonic_scope *scope, const sonic_network *network, const char *name, ...)
    SONIC_PRINTF(3, 4);
sonic_tensor *sonic_layer_find(const sonic_network *network, const char *name, ...) SONIC_PRINTF(2, 3);
/* Says that `x` is the output of this part: its prefix without the full stop is the layer's name
 * (sonic_operator_probe). */
void sonic_layer_probe(const sonic_network *network, sonic_tensor *x);

/* Layers by name: `name`.weight, and `name`.bias where the file has one. */
sonic_tensor *sonic_layer_linear(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x);
sonic_tensor *sonic_layer_norm(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x);
sonic_tensor *sonic_layer_conv2d(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x,
                                 int64_t stride, int64_t padding);
/* 32 groups, as in every network of this family; then SiLU. */
sonic_tensor *sonic_layer_group_norm(sonic_scope *scope, const sonic_network *network, const char *name,
                                     sonic_tensor *x, double epsilon);
sonic_tensor *sonic_layer_group_norm_silu(sonic_scope *scope, const sonic_network *network, const char *name,
                                          sonic_tensor *x, double epsilon);

/* Multi-head attention between projections: q, k, v [batch, tokens, heads * dim] -> [batch, tokens of q, heads * dim].
 */
sonic_tensor *sonic_layer_attention(sonic_scope *outer, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v,
                                    int64_t heads);

#endif
