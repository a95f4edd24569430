#include "models/unet/transformer.h"

#include "kernels/fused.h"
#include "models/unet/audio_attention.h"
#include "models/unet/unet_views.h"
#include "torch/device.h"

/* x += to_out(y) without its bias; y [.., tokens, channels] is taken */
static void add_product(sonic_scope *scope, const sonic_network *attn, sonic_tensor *x, sonic_tensor *y)
{
    sonic_tensor *rows = sonic_unet_rows(scope, x);
    st_add_linear_in_place(scope, rows, st_take(st_reshape(scope, st_take(y), st_shape(rows))),
                           sonic_layer_weight(scope, attn, "to_out.0.weight"));
}

void sonic_unet_add_output(sonic_scope *scope, const sonic_network *attn, sonic_tensor *x, sonic_tensor *y)
{
    add_product(scope, attn, x, y);
    st_add_in_place(scope, sonic_unet_rows(scope, x), sonic_layer_weight(scope, attn, "to_out.0.bias"));
}

/* Whether a bias may wait for the normalisation of the next part: x is not read before. */
static bool may_wait(const sonic_scope *scope, const sonic_network *block, const sonic_tensor *x)
{
    return sonic_fused_on_device(scope, x) && !sonic_unet_is_probed(block);
}

void sonic_unet_spatial_self_attention(sonic_scope *outer, const sonic_network *block, sonic_tensor *x,
                                       int64_t head_dim)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network attn = sonic_network_part(block, "attn1");
    int64_t channels = st_size(x, 3);
    sonic_tensor *before = sonic_unet_probe_before(&s, &attn, x);
    sonic_tensor *n = st_take(st_view(&s, x, st_shape3(st_size(x, 0) * st_size(x, 1), st_size(x, 2), channels)));
    n = sonic_layer_norm(&s, block, "norm1", n);
    sonic_tensor *q = sonic_layer_linear(&s, &attn, "to_q", n), *k = sonic_layer_linear(&s, &attn, "to_k", n);
    sonic_tensor *v = sonic_layer_linear(&s, &attn, "to_v", st_take(n));
    sonic_tensor *y = sonic_layer_attention(&s, st_take(q), st_take(k), st_take(v), channels / head_dim);
    sonic_unet_add_output(&s, &attn, x, y);
    sonic_unet_probe_added(&s, &attn, x, before, false);
    sonic_scope_close(&s);
}

/* Branch b of x [branches, frames, tokens, channels] as [tokens, heads, frames, dim]: a view */
static sonic_tensor *sequences(sonic_scope *scope, sonic_tensor *x, int64_t b, int64_t dim)
{
    const int64_t order[4] = {1, 2, 0, 3};
    sonic_tensor *branch = st_take(st_slice(scope, x, 0, b, 1));
    sonic_tensor *split = st_view(scope, branch, st_shape4(st_size(x, 1), st_size(x, 2), st_size(x, 3) / dim, dim));
    return st_permute(scope, st_take(split), order, 4);
}

/* q, k, v [branches, frames, tokens, channels] -> y of branch b [frames, tokens, heads, dim], a view */
static sonic_tensor *temporal_attention(sonic_scope *scope, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v,
                                        int64_t b, int64_t dim)
{
    const int64_t order[4] = {2, 0, 1, 3};
    sonic_tensor *y = st_attention(scope, st_take(sequences(scope, q, b, dim)), st_take(sequences(scope, k, b, dim)),
                                   st_take(sequences(scope, v, b, dim)), 0);
    return st_permute(scope, st_take(y), order, 4);
}

/* Each token attends to its own position in all frames of the window. x += bias first, which may be NULL. Returns the
 * bias that x still lacks, or NULL. */
static sonic_tensor *temporal_self_attention(sonic_scope *outer, const sonic_unet_pass *pass,
                                             const sonic_network *block, sonic_tensor *x, sonic_tensor *bias)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network attn = sonic_network_part(block, "attn1");
    bool later = may_wait(&s, block, x);
    sonic_tensor *before = sonic_unet_probe_before(&s, &attn, x);
    sonic_tensor *n = sonic_unet_norm_rows(&s, block, "norm1", x, bias);
    sonic_tensor *q = sonic_layer_linear(&s, &attn, "to_q", n), *k = sonic_layer_linear(&s, &attn, "to_k", n);
    sonic_tensor *v = sonic_layer_linear(&s, &attn, "to_v", st_take(n));
    for (int64_t b = 0; b < pass->branch_count && !s.status; b++)
        (later ? add_product : sonic_unet_add_output)(&s, &attn, st_slice(&s, x, 0, b, 1),
                                                      temporal_attention(&s, q, k, v, b, pass->unet->head_dim));
    sonic_unet_probe_added(&s, &attn, x, before, true);
    sonic_scope_close(&s);
    return later ? sonic_layer_find(&attn, "to_out.0.bias") : NULL;
}

/* net.0.proj and net.2 of a GEGLU network (Shazeer, 2020): of all tiles, since weights may have to be brought. */
typedef struct geglu_weights {
    sonic_tensor *in, *in_bias, *out, *out_bias;
} geglu_weights;

static geglu_weights find_geglu_weights(sonic_scope *scope, const sonic_network *net)
{
    return (geglu_weights){sonic_layer_weight(scope, net, "0.proj.weight"), sonic_layer_find(net, "0.proj.bias"),
                           sonic_layer_weight(scope, net, "2.weight"), sonic_layer_weight(scope, net, "2.bias")};
}

/* x += net.2(a GELU(g)), [a, g] = net.0.proj(LN(x)). x [rows, channels], a part of the stream. bias_too: also the bias
 * of net.2. */
static void feed_rows(sonic_scope *outer, const sonic_network *block, const char *norm, const geglu_weights *net,
                      sonic_tensor *x, bool bias_too)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *n = sonic_layer_norm(&s, block, norm, x);
    sonic_tensor *both = st_linear(&s, st_take(n), net->in, net->in_bias);
    st_add_linear_in_place(&s, x, sonic_fused_geglu(&s, both), net->out);
    if (bias_too)
        st_add_in_place(&s, x, net->out_bias);
    sonic_scope_close(&s);
}

/* The inner width is 8 times that of x: tokens are processed in tiles whose inner activations are at most `inner`
 * numbers. On the CPU each tile adds the bias of net.2 while it is in the cache. For a card that bias is returned, to
 * be added once: NULL where x lacks nothing. */
static sonic_tensor *feed_forward(sonic_scope *outer, const sonic_network *block, const char *norm, const char *name,
                                  sonic_tensor *x, int64_t inner, bool temporal)
{
    enum { WIDER = 8, TILE_MIN = 1024 };
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network ff = sonic_network_part(block, "%s", name), net = sonic_network_part(&ff, "net");
    sonic_tensor *before = sonic_unet_probe_before(&s, &ff, x), *rows = sonic_unet_rows(&s, x);
    int64_t count = st_size(rows, 0), width = WIDER * st_size(rows, 1), tile = width ? (inner + width - 1) / width : 0;
    tile = tile < TILE_MIN ? TILE_MIN : tile;
    bool later = may_wait(&s, block, x);
    geglu_weights found = find_geglu_weights(&s, &net);
    for (int64_t at = 0; at < count && !s.status; at += tile)
        feed_rows(&s, block, norm, &found, st_slice(&s, rows, 0, at, at + tile < count ? tile : count - at), !later);
    sonic_unet_probe_added(&s, &ff, x, before, temporal);
    sonic_scope_close(&s);
    return later ? sonic_layer_find(&net, "2.bias") : NULL;
}

void sonic_unet_feed_forward(sonic_scope *scope, const sonic_network *block, const char *norm, const char *name,
                             sonic_tensor *x, int64_t inner, bool temporal)
{
    sonic_tensor *bias = feed_forward(scope, block, norm, name, x, inner, temporal);
    if (bias)
        st_add_in_place(scope, x, bias);
}

/* As many as x has. A card takes fewer and larger tiles, and holds more than that in any case while it is at the first
 * level: as many as x has there. */
static int64_t inner_numbers(const sonic_scope *scope, const sonic_unet_pass *pass, const sonic_tensor *x)
{
    int64_t tokens = pass->rows * pass->columns << 2 * pass->level;
    return st_computes_on_host(scope, x) ? st_count(x)
                                         : pass->branch_count * pass->frame_count * tokens * pass->unet->channels;
}

static void probe_block(sonic_scope *scope, const sonic_network *block, sonic_tensor *x)
{
    if (sonic_unet_is_probed(block))
        sonic_layer_probe(block,
                          st_view(scope, x, st_shape3(st_size(x, 0) * st_size(x, 1), st_size(x, 2), st_size(x, 3))));
}

static void spatial_block(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_unet_attention *layer,
                          const sonic_network *network, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network block = sonic_network_part(network, "transformer_blocks.0");
    sonic_unet_spatial_self_attention(&s, &block, x, pass->unet->head_dim);
    sonic_unet_spatial_audio_attention(&s, pass, layer, &block, x);
    sonic_unet_feed_forward(&s, &block, "norm3", "ff", x, inner_numbers(&s, pass, x), false);
    probe_block(&s, &block, x);
    sonic_scope_close(&s);
}

static void temporal_block(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_unet_attention *layer,
                           const sonic_network *network, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network block = sonic_network_part(network, "temporal_transformer_blocks.0");
    int64_t inner = inner_numbers(&s, pass, x);
    sonic_tensor *bias = feed_forward(&s, &block, "norm_in", "ff_in", x, inner, true);
    bias = temporal_self_attention(&s, pass, &block, x, bias);
    sonic_unet_temporal_audio_attention(&s, pass, layer, &block, x, bias);
    sonic_unet_feed_forward(&s, &block, "norm3", "ff", x, inner, true);
    probe_block(&s, &block, x);
    sonic_scope_close(&s);
}

/* x + the embedding of each frame's position in the window: a new tensor */
static sonic_tensor *with_positions(sonic_scope *scope, const sonic_unet_pass *pass, const sonic_unet_attention *layer,
                                    sonic_tensor *x)
{
    sonic_tensor *positions = st_slice(scope, pass->constants->positions, 0, 0, pass->frame_count);
    positions = st_slice(scope, st_take(positions), 1, layer->offset, layer->channels);
    positions = st_reshape(scope, st_take(positions), st_shape4(1, pass->frame_count, 1, layer->channels));
    return st_add(scope, x, st_take(positions));
}

/* proj_in(GN(x)): [branches, frames, tokens, channels] */
static sonic_tensor *project_in(sonic_scope *scope, const sonic_network *network, sonic_tensor *x)
{
    return sonic_layer_linear(scope, network, "proj_in",
                              st_take(sonic_unet_norm_frames(scope, network, "norm", x, 1e-6)));
}

void sonic_unet_transformer(sonic_scope *outer, sonic_unet_pass *pass, const sonic_network *network, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    const float *mixes = st_data(pass->constants->mixes);
    double mix = mixes[pass->unet->res_count + pass->next_attention];
    const sonic_unet_attention *layer = &pass->unet->attentions[pass->next_attention++];
    sonic_tensor *y = project_in(&s, network, x);
    spatial_block(&s, pass, layer, network, y);
    sonic_tensor *u = with_positions(&s, pass, layer, y);
    temporal_block(&s, pass, layer, network, u);
    st_lerp_in_place(&s, y, st_take(u), mix);
    sonic_tensor *rows = sonic_unet_rows(&s, x);
    st_add_linear_in_place(&s, rows, st_take(sonic_unet_rows(&s, y)),
                           sonic_layer_weight(&s, network, "proj_out.weight"));
    st_add_in_place(&s, rows, sonic_layer_weight(&s, network, "proj_out.bias"));
    sonic_layer_probe(network, sonic_unet_images(&s, pass, x));
    sonic_scope_close(&s);
}
