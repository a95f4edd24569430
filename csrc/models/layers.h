/* layers.h - layers that the networks share, found by the names of their weights.
 *
 * A sonic_network is a view of a call's weights: the call that holds them and the prefix of their names. Sizes come
 * from the shapes of the weights. A network computes in the dtype of its weights. Operands may be taken (st_take). A
 * missing weight or a failed layer fails the scope and gives NULL; layers on NULL do nothing.
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
    char prefix[SONIC_NAME_BYTES]; /* ends with a dot, or is empty */
} sonic_network;

/* The part of `call`'s weights whose names begin with the prefix (printf format). */
sonic_network sonic_network_at(sonic_operator_call *call, const char *prefix, ...) SONIC_PRINTF(2, 3);
/* A part of a network: `name` and a dot are appended to its prefix. */
sonic_network sonic_network_part(const sonic_network *network, const char *name, ...) SONIC_PRINTF(2, 3);
/* Whether there is a weight of that name. */
bool sonic_network_has(const sonic_network *network, const char *name, ...) SONIC_PRINTF(2, 3);
/* The weight of that name. Where it is missing, sonic_layer_weight fails `scope` and sonic_layer_find returns NULL. A
 * weight in host memory of a UNet that computes on a card is brought there by sonic_layer_weight: into a buffer, valid
 * until another part's weights are asked for (torch/streamed_weights.h), or for as long as the scope. So the card holds
 * the weights of a few layers at a time. */
sonic_tensor *sonic_layer_weight(sonic_scope *scope, const sonic_network *network, const char *name, ...)
    SONIC_PRINTF(3, 4);
sonic_tensor *sonic_layer_find(const sonic_network *network, const char *name, ...) SONIC_PRINTF(2, 3);
/* Reports `x` as the output of this part to sonic_operator_probe; the layer's name is the prefix without its dot. */
void sonic_layer_probe(const sonic_network *network, sonic_tensor *x);

/* Layers with `name`.weight, and `name`.bias where the file has one. Linear: x [.., in] -> [.., out]; norm: over the
 * last dimension, epsilon 1e-5; conv2d: x [b, in, rows, columns] -> [b, out, ..]. */
sonic_tensor *sonic_layer_linear(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x);
sonic_tensor *sonic_layer_norm(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x);
sonic_tensor *sonic_layer_conv2d(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x,
                                 int64_t stride, int64_t padding);
/* Group normalisation of x [b, channels, ...] with 32 groups, as in every network of this family; then SiLU. */
sonic_tensor *sonic_layer_group_norm(sonic_scope *scope, const sonic_network *network, const char *name,
                                     sonic_tensor *x, double epsilon);
sonic_tensor *sonic_layer_group_norm_silu(sonic_scope *scope, const sonic_network *network, const char *name,
                                          sonic_tensor *x, double epsilon);

/* Multi-head attention: q, k, v [batch, tokens, heads * dim] -> [batch, tokens of q, heads * dim], scaled by
 * 1 / sqrt(dim). SONIC_ERROR_SHAPE when the channels do not divide into heads. */
sonic_tensor *sonic_layer_attention(sonic_scope *outer, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v,
                                    int64_t heads);

#endif
