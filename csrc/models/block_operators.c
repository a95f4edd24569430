/* One spatial transformer block with plain cross-attention, as an operator: bench/transformer_block.py compares the
 * UNet's parts with eager PyTorch. */

#include "models/block_operators.h"

#include "models/unet/transformer.h"

/* x += to_out(attention of LN(x) to the context). x [1, frames, tokens, channels], context [frames, keys, width] */
static void cross_attention(sonic_scope *outer, const sonic_network *block, sonic_tensor *x, sonic_tensor *context,
                            int64_t head_dim)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network attn = sonic_network_part(block, "attn2");
    int64_t channels = st_size(x, 3);
    sonic_tensor *n = sonic_layer_norm(&s, block, "norm2",
                                       st_take(st_view(&s, x, st_shape3(st_size(x, 1), st_size(x, 2), channels))));
    sonic_tensor *q = sonic_layer_linear(&s, &attn, "to_q", st_take(n));
    sonic_tensor *k = sonic_layer_linear(&s, &attn, "to_k", context),
                 *v = sonic_layer_linear(&s, &attn, "to_v", context);
    sonic_unet_add_output(&s, &attn, x,
                          sonic_layer_attention(&s, st_take(q), st_take(k), st_take(v), channels / head_dim));
    sonic_scope_close(&s);
}

/* tensors: weights by their names in a block; "x" [frames, tokens, channels]; "context" [frames, keys, width]. numbers:
 * head dim. Returns the block's output; x stays as it was. */
static void sonic_transformer_block_operator(sonic_operator_call *call)
{
    sonic_scope *s = call->scope;
    sonic_network block = sonic_network_at(call, "%s", "");
    sonic_tensor *x = sonic_operator_tensor(call, "x"), *context = sonic_operator_tensor(call, "context");
    int64_t head_dim = call->number_count == 1 ? (int64_t)call->numbers[0] : 0;
    if (st_shape(x).dims != 3 || st_shape(context).dims != 3 || head_dim < 1) {
        sonic_scope_fail(
            s, sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Give transformer_block x and context of three dimensions, and the width of a head."));
        return;
    }
    sonic_tensor *stream = st_view(s, st_clone(s, x), st_shape4(1, st_size(x, 0), st_size(x, 1), st_size(x, 2)));
    sonic_unet_spatial_self_attention(s, &block, stream, head_dim);
    cross_attention(s, &block, stream, context, head_dim);
    sonic_unet_feed_forward(s, &block, "norm3", "ff", stream, st_count(stream), false);
    sonic_operator_return(call, st_view(s, stream, st_shape(x)));
}

const sonic_operator sonic_block_operators[] = {
    {"transformer_block", sonic_transformer_block_operator},
    {NULL, NULL},
};
