#include "models/clip_vision.h"

/* The names of one scheme. */
typedef struct naming {
    const char *prefix, *class_token, *patch, *positions, *pre_norm, *post_norm, *projection;
    const char *layer; /* printf format */
    const char *norm1, *norm2, *attention, *fc1, *fc2;
} naming;

static const naming schemes[] = {
    {"conditioner.embedders.0.open_clip.model.visual.", "class_embedding", "conv1.weight", "positional_embedding",
     "ln_pre", "ln_post", "proj", "transformer.resblocks.%d", "ln_1", "ln_2", "attn", "mlp.c_fc", "mlp.c_proj"},
    {"", "vision_model.embeddings.class_embedding", "vision_model.embeddings.patch_embedding.weight",
     "vision_model.embeddings.position_embedding.weight", "vision_model.pre_layrnorm", "vision_model.post_layernorm",
     "visual_projection.weight", "vision_model.encoder.layers.%d", "layer_norm1", "layer_norm2", "self_attn", "mlp.fc1",
     "mlp.fc2"},
};

enum { OPEN_CLIP = 0, TRANSFORMERS = 1 };

/* The class token, then the patches' tokens, plus position embeddings. pixels [b, 3, side, side] -> [b, 1 + patches, d]
 */
static sonic_tensor *embed(sonic_scope *outer, const sonic_network *net, const naming *names, sonic_tensor *pixels)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *kernel = sonic_layer_weight(&s, net, "%s", names->patch);
    int64_t batch = st_size(pixels, 0), channels = st_size(kernel, 0);
    /* [b, d, rows, columns] */
    sonic_tensor *x = st_conv2d(&s, st_cast_like(&s, pixels, kernel), kernel, NULL, st_size(kernel, 2), 0, 1);
    x = st_transpose(&s, st_take(st_reshape(&s, st_take(x), st_shape3(batch, channels, -1))), 1, 2);
    sonic_tensor *first =
        st_reshape(&s, sonic_layer_weight(&s, net, "%s", names->class_token), st_shape3(1, 1, channels));
    sonic_tensor *parts[2] = {st_take(st_expand(&s, first, st_shape3(batch, 1, channels))), st_take(x)};
    x = st_add(&s, st_take(st_cat(&s, parts, 2, 1)), sonic_layer_weight(&s, net, "%s", names->positions));
    x = st_return(&s, sonic_layer_norm(&s, net, names->pre_norm, st_take(x)));
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

/* open_clip has one matrix for query, key and value: [b, n, 3 d], split in three */
static void packed_projections(sonic_tensor *out[3], sonic_scope *scope, const sonic_network *attention,
                               sonic_tensor *x)
{
    sonic_tensor *all = st_linear(scope, x, sonic_layer_weight(scope, attention, "in_proj_weight"),
                                  sonic_layer_weight(scope, attention, "in_proj_bias"));
    int64_t channels = st_size(all, 2) / 3;
    for (int i = 0; i < 3; i++)
        out[i] = st_slice(scope, all, 2, i * channels, channels);
    st_release(all);
}

static sonic_tensor *self_attention(sonic_scope *scope, const sonic_network *layer, const naming *names,
                                    sonic_tensor *x, int64_t heads)
{
    sonic_network attention = sonic_network_part(layer, "%s", names->attention);
    sonic_tensor *qkv[3];
    if (names == &schemes[OPEN_CLIP])
        packed_projections(qkv, scope, &attention, x);
    else {
        qkv[0] = sonic_layer_linear(scope, &attention, "q_proj", x);
        qkv[1] = sonic_layer_linear(scope, &attention, "k_proj", x);
        qkv[2] = sonic_layer_linear(scope, &attention, "v_proj", x);
    }
    sonic_tensor *y = sonic_layer_attention(scope, st_take(qkv[0]), st_take(qkv[1]), st_take(qkv[2]), heads);
    return sonic_layer_linear(scope, &attention, "out_proj", st_take(y));
}

/* x + attention(LN x), then x + MLP(LN x); x is released */
static sonic_tensor *encoder_layer(sonic_scope *outer, const sonic_network *layer, const naming *names, sonic_tensor *x,
                                   int64_t heads)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *y = self_attention(&s, layer, names, sonic_layer_norm(&s, layer, names->norm1, x), heads);
    x = st_add(&s, st_take(x), st_take(y));
    y = sonic_layer_linear(&s, layer, names->fc1, st_take(sonic_layer_norm(&s, layer, names->norm2, x)));
    y = sonic_layer_linear(&s, layer, names->fc2, st_take(st_gelu_in_place(&s, y)));
    y = st_return(&s, st_add(&s, st_take(x), st_take(y)));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* The class token's row, normalised and projected: [b, n, d] -> [b, projection] */
static sonic_tensor *project(sonic_scope *scope, const sonic_network *net, const naming *names, sonic_tensor *x)
{
    int64_t batch = st_size(x, 0), channels = st_size(x, 2);
    sonic_tensor *first = st_reshape(scope, st_take(st_slice(scope, x, 1, 0, 1)), st_shape2(batch, channels));
    first = sonic_layer_norm(scope, net, names->post_norm, st_take(first));
    sonic_tensor *weight = sonic_layer_weight(scope, net, "%s", names->projection);
    if (names == &schemes[OPEN_CLIP])
        return st_matmul(scope, st_take(first), weight); /* [d, projection] */
    return st_linear(scope, st_take(first), weight, NULL);
}

static void check_pixels(sonic_scope *scope, const sonic_network *net, const naming *names, sonic_tensor *pixels)
{
    int64_t patch = st_size(sonic_layer_weight(scope, net, "%s", names->patch), 2);
    int64_t tokens = st_size(sonic_layer_weight(scope, net, "%s", names->positions), 0);
    sonic_shape shape = st_shape(pixels);
    if (!scope->status && (shape.dims != 4 || shape.size[1] != 3 || patch < 1 ||
                           (shape.size[2] / patch) * (shape.size[3] / patch) + 1 != tokens))
        sonic_scope_fail(
            scope,
            sonic_fail(SONIC_ERROR_SHAPE,
                       "Give CLIP an image [batch, 3, side, side] of %lld patches of %lld pixels: it is %lld x %lld.",
                       (long long)tokens - 1, (long long)patch, (long long)shape.size[2], (long long)shape.size[3]));
}

sonic_tensor *sonic_clip_vision_embed(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *pixels,
                                      int64_t heads)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_at(call, "%s", schemes[TRANSFORMERS].prefix);
    const naming *names =
        &schemes[sonic_network_has(&net, "%s", schemes[TRANSFORMERS].class_token) ? TRANSFORMERS : OPEN_CLIP];
    net = sonic_network_at(call, "%s", names->prefix);
    check_pixels(&s, &net, names, pixels);
    sonic_tensor *x = embed(&s, &net, names, pixels);
    sonic_operator_probe(call, x, "hidden_0");
    for (int i = 0; !s.status; i++) {
        sonic_network layer = sonic_network_part(&net, names->layer, i);
        if (!sonic_network_has(&layer, "%s.weight", names->norm1))
            break;
        x = encoder_layer(&s, &layer, names, x, heads);
        sonic_operator_probe(call, x, "hidden_%d", i + 1);
    }
    sonic_operator_probe(call, x, "hidden_last");
    x = st_return(&s, project(&s, &net, names, x));
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}
