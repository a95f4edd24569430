#include "models/whisper.h"

enum { STATES_MAX = 33 };

/* Two convolutions, plus the position embeddings. mel [1, 80, 2 rows] -> [1, rows, d] */
static sonic_tensor *embed(sonic_scope *outer, const sonic_network *net, sonic_tensor *mel)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *x = st_conv1d(&s, mel, sonic_layer_weight(&s, net, "conv1.weight"),
                                sonic_layer_weight(&s, net, "conv1.bias"), 1, 1, 1);
    x = st_gelu(&s, st_take(x));
    x = st_conv1d(&s, st_take(x), sonic_layer_weight(&s, net, "conv2.weight"),
                  sonic_layer_weight(&s, net, "conv2.bias"), 2, 1, 1);
    x = st_transpose(&s, st_take(st_gelu(&s, st_take(x))), 1, 2);
    x = st_return(&s, st_add(&s, st_take(x), sonic_layer_weight(&s, net, "embed_positions.weight")));
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

/* x [1, rows, d]; padding is attended to as well, as in training */
static sonic_tensor *self_attention(sonic_scope *scope, const sonic_network *layer, sonic_tensor *x, int64_t heads)
{
    sonic_tensor *q = sonic_layer_linear(scope, layer, "self_attn.q_proj", x);
    sonic_tensor *k = sonic_layer_linear(scope, layer, "self_attn.k_proj", x);
    sonic_tensor *v = sonic_layer_linear(scope, layer, "self_attn.v_proj", st_take(x));
    sonic_tensor *y = sonic_layer_attention(scope, st_take(q), st_take(k), st_take(v), heads);
    return sonic_layer_linear(scope, layer, "self_attn.out_proj", st_take(y));
}

/* x + attention(LN x), then x + MLP(LN x) */
static sonic_tensor *encoder_layer(sonic_scope *outer, const sonic_network *layer, sonic_tensor *x, int64_t heads)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *y = self_attention(&s, layer, sonic_layer_norm(&s, layer, "self_attn_layer_norm", x), heads);
    x = st_add(&s, x, st_take(y));
    y = sonic_layer_linear(&s, layer, "fc1", st_take(sonic_layer_norm(&s, layer, "final_layer_norm", x)));
    y = sonic_layer_linear(&s, layer, "fc2", st_take(st_gelu_in_place(&s, y)));
    y = st_return(&s, st_add(&s, st_take(x), st_take(y)));
    sonic_layer_probe(layer, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* One segment of 30 s: [1, 80, 2 rows] -> [rows, states, d] */
static sonic_tensor *encode_segment(sonic_scope *outer, const sonic_network *net, sonic_tensor *mel, int64_t heads)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *states[STATES_MAX], *x = embed(&s, net, mel);
    int32_t count = 0;
    for (; count < STATES_MAX - 1 && sonic_network_has(net, "layers.%d.fc1.weight", (int)count); count++) {
        sonic_network layer = sonic_network_part(net, "layers.%d", (int)count);
        states[count] = x;
        x = encoder_layer(&s, &layer, x, heads);
    }
    states[count++] = sonic_layer_norm(&s, net, "layer_norm", st_take(x));
    sonic_tensor *y = st_cat(&s, states, count, 0); /* [states, rows, d] */
    y = st_return(&s, st_contiguous(&s, st_take(st_transpose(&s, st_take(y), 0, 1))));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

static sonic_tensor *encode_segments(sonic_scope *scope, const sonic_network *net, sonic_tensor *mel, int64_t columns,
                                     int64_t heads)
{
    sonic_tensor *all = NULL;
    for (int64_t at = 0; at < st_size(mel, 1) && !scope->status; at += columns) {
        sonic_tensor *segment =
            st_reshape(scope, st_take(st_slice(scope, mel, 1, at, columns)), st_shape3(1, st_size(mel, 0), columns));
        sonic_tensor *states = encode_segment(scope, net, segment, heads);
        sonic_tensor *both[2] = {st_take(all), states};
        all = all ? st_cat(scope, both, 2, 0) : states;
        st_release(segment);
    }
    return all;
}

sonic_tensor *sonic_whisper_encode(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *mel, int64_t heads)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_at(call, "model.encoder.");
    if (!sonic_network_has(&net, "conv1.weight"))
        net = sonic_network_at(call, "encoder.");
    sonic_tensor *positions = sonic_layer_weight(&s, &net, "embed_positions.weight");
    int64_t columns = 2 * st_size(positions, 0);
    if (!s.status && (st_shape(mel).dims != 2 || columns < 2 || st_size(mel, 1) < 1 || st_size(mel, 1) % columns != 0))
        sonic_scope_fail(&s, sonic_fail(SONIC_ERROR_SHAPE,
                                        "Give the spectrum in segments of %lld columns, [80, %lld n]: it has %lld.",
                                        (long long)columns, (long long)columns, (long long)st_size(mel, 1)));
    mel = st_cast_like(&s, mel, positions);
    sonic_tensor *y = st_return(&s, encode_segments(&s, &net, mel, columns, heads));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
