#include "models/layers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "torch/device.h"
#include "torch/streamed_weights.h"

sonic_network sonic_network_at(sonic_operator_call *call, const char *prefix, ...)
{
    sonic_network network = {call, {0}};
    va_list arguments;
    va_start(arguments, prefix);
    vsnprintf(network.prefix, sizeof network.prefix, prefix, arguments);
    va_end(arguments);
    return network;
}

/* out = prefix + name. A name too long for `out` is truncated, so it is not found. */
static void join(char out[SONIC_NAME_BYTES], const sonic_network *network, const char *format, va_list arguments)
{
    size_t used = strlen(network->prefix);
    memcpy(out, network->prefix, used);
    vsnprintf(out + used, SONIC_NAME_BYTES - used, format, arguments);
}

sonic_network sonic_network_part(const sonic_network *network, const char *name, ...)
{
    sonic_network part = {network->call, {0}};
    va_list arguments;
    va_start(arguments, name);
    join(part.prefix, network, name, arguments);
    va_end(arguments);
    size_t used = strlen(part.prefix);
    if (used + 1 < sizeof part.prefix)
        memcpy(part.prefix + used, ".", 2);
    return part;
}

bool sonic_network_has(const sonic_network *network, const char *name, ...)
{
    char full[SONIC_NAME_BYTES];
    va_list arguments;
    va_start(arguments, name);
    join(full, network, name, arguments);
    va_end(arguments);
    return sonic_weights_find(network->call->weights, "%s", full) != NULL;
}

sonic_tensor *sonic_layer_find(const sonic_network *network, const char *name, ...)
{
    char full[SONIC_NAME_BYTES];
    va_list arguments;
    va_start(arguments, name);
    join(full, network, name, arguments);
    va_end(arguments);
    return sonic_weights_find(network->call->weights, "%s", full);
}

/* A matrix or convolution that waits in host memory while the network computes on a card, there: in a buffer of the
 * call, or a copy that ends with the scope. */
static sonic_tensor *brought(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *weight)
{
    if (st_shape(weight).dims < 2 || !st_computes_on_host(scope, weight))
        return weight;
    if (network->call->streamed)
        return sonic_streamed_weights_bring(network->call->streamed, scope, name, weight);
    const sonic_tensor *first = sonic_weights_find(network->call->weights, "conv_in.weight");
    return !first || st_computes_on_host(scope, first) ? weight : st_copy_to_device_of(scope, weight, first);
}

sonic_tensor *sonic_layer_weight(sonic_scope *scope, const sonic_network *network, const char *name, ...)
{
    char full[SONIC_NAME_BYTES];
    va_list arguments;
    va_start(arguments, name);
    join(full, network, name, arguments);
    va_end(arguments);
    return brought(scope, network, full, sonic_weights_get(scope, network->call->weights, "%s", full));
}

void sonic_layer_probe(const sonic_network *network, sonic_tensor *x)
{
    size_t length = strlen(network->prefix);
    sonic_operator_probe(network->call, x, "%.*s", (int)(length ? length - 1 : 0), network->prefix);
}

sonic_tensor *sonic_layer_linear(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x)
{
    return st_linear(scope, x, sonic_layer_weight(scope, network, "%s.weight", name),
                     sonic_layer_find(network, "%s.bias", name));
}

sonic_tensor *sonic_layer_norm(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x)
{
    return st_layer_norm(scope, x, sonic_layer_weight(scope, network, "%s.weight", name),
                         sonic_layer_weight(scope, network, "%s.bias", name), 1e-5);
}

sonic_tensor *sonic_layer_conv2d(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x,
                                 int64_t stride, int64_t padding)
{
    return st_conv2d(scope, x, sonic_layer_weight(scope, network, "%s.weight", name),
                     sonic_layer_find(network, "%s.bias", name), stride, padding, 1);
}

sonic_tensor *sonic_layer_group_norm(sonic_scope *scope, const sonic_network *network, const char *name,
                                     sonic_tensor *x, double epsilon)
{
    enum { GROUPS = 32 };
    return st_group_norm(scope, x, GROUPS, sonic_layer_weight(scope, network, "%s.weight", name),
                         sonic_layer_weight(scope, network, "%s.bias", name), epsilon);
}

sonic_tensor *sonic_layer_group_norm_silu(sonic_scope *scope, const sonic_network *network, const char *name,
                                          sonic_tensor *x, double epsilon)
{
    return st_silu_in_place(scope, sonic_layer_group_norm(scope, network, name, x, epsilon));
}

/* [batch, tokens, heads * dim] -> [batch, heads, tokens, dim], a view */
static sonic_tensor *split_heads(sonic_scope *scope, sonic_tensor *x, int64_t heads)
{
    sonic_tensor *split = st_reshape(scope, x, st_shape4(st_size(x, 0), st_size(x, 1), heads, st_size(x, 2) / heads));
    return st_transpose(scope, st_take(split), 1, 2);
}

sonic_tensor *sonic_layer_attention(sonic_scope *outer, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v,
                                    int64_t heads)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_shape shape = st_shape(q);
    if (!s.status && (heads < 1 || shape.dims != 3 || shape.size[2] % heads != 0))
        sonic_scope_fail(
            &s,
            sonic_fail(SONIC_ERROR_SHAPE,
                       "Use the weight file that belongs to this network: %lld channels do not divide into %lld heads.",
                       (long long)shape.size[2], (long long)heads));
    if (s.status)
        return sonic_scope_close(&s), NULL;
    q = split_heads(&s, q, heads), k = split_heads(&s, k, heads), v = split_heads(&s, v, heads);
    sonic_tensor *y = st_attention(&s, st_take(q), st_take(k), st_take(v), 0);
    y = st_reshape(&s, st_take(st_transpose(&s, st_take(y), 1, 2)), shape);
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
