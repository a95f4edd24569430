/* out = to_out(V_image + M softmax(Q K^T / sqrt(d)) V) with the face mask M and the same Q for both. Attention to a
 * single image token is its value, so to_out(V_image) is a constant vector, computed once a run. K and V are projected
 * for each window: for a whole clip they would take 3 MB a frame. Temporal layers attend to the mean of the window's
 * tokens, whose projection is the mean of their projections.
 *
 * There are few audio tokens T and many queries, so to_q and to_out are folded into K and V: with head h's columns W_h
 * of to_q and O_h of to_out,
 *
 *     scores = x (K_h W_h)^T / sqrt(d)        out = sum over h of P_h (V_h O_h^T)
 *
 * K_h W_h and V_h O_h^T are [T, C] for each head; x is multiplied by [C, heads T] twice instead of by [C, C] twice. */
#include "models/unet/audio_attention.h"

#include <math.h>

#include "models/unet/unet_views.h"

/* {first row, rows} of a branch in constants->audio, and in constants->image_* */
static const int64_t *audio_span(const sonic_unet_pass *pass, int64_t branch)
{
    return (const int64_t *)st_data(pass->constants->layout) + 4 * (pass->step->first_branch + branch);
}

static const int64_t *image_span(const sonic_unet_pass *pass, int64_t branch) { return audio_span(pass, branch) + 2; }

/* One layer's image vectors in the window: [1 or frames, channels] */
static sonic_tensor *window_image(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *table, int64_t branch,
                                  const sonic_unet_attention *layer)
{
    const int64_t *span = image_span(pass, branch);
    sonic_tensor *rows = st_slice(scope, table, 0, span[0], span[1]);
    rows = st_slice(scope, st_take(rows), 1, layer->offset, layer->channels);
    return span[1] == 1 ? rows : st_gather(scope, st_take(rows), 0, pass->frames);
}

/* [1 or frames, ...] -> [1, ...] */
static sonic_tensor *window_mean(sonic_scope *scope, sonic_tensor *rows)
{
    return st_size(rows, 0) == 1 ? rows : st_mean(scope, rows, 0);
}

/* The clip's tokens may be in host memory: only the window's are moved to the device of the weights. */
void sonic_unet_gather_audio(sonic_scope *scope, sonic_unet_pass *pass, sonic_tensor *like)
{
    sonic_tensor *table = pass->constants->audio;
    sonic_tensor *frames =
        st_to_device_of(scope, st_take(st_indices(scope, pass->step->frames, pass->step->frame_count)), table);
    for (int64_t b = 0; b < pass->branch_count && !scope->status; b++) {
        const int64_t *span = audio_span(pass, b);
        sonic_tensor *rows = st_slice(scope, table, 0, span[0], span[1]);
        rows = span[1] == 1 ? rows : st_gather(scope, st_take(rows), 0, frames);
        pass->audio[b] = st_cast_like(scope, st_take(rows), like);
        pass->audio_mean[b] = window_mean(scope, pass->audio[b]);
    }
    st_release(frames);
}

static double audio_scale(const sonic_unet_pass *pass) { return *(const float *)st_data(pass->constants->audio_scale); }

/* [groups, keys, channels] -> [heads, groups keys, dim]; `heads` is 0 when the weight it comes from is missing */
static sonic_tensor *rows_by_head(sonic_scope *scope, sonic_tensor *x, int64_t heads)
{
    const int64_t order[4] = {2, 0, 1, 3};
    int64_t groups = st_size(x, 0), keys = st_size(x, 1), dim = heads ? st_size(x, 2) / heads : 0;
    sonic_tensor *split = st_reshape(scope, x, st_shape4(groups, keys, heads, dim));
    return st_reshape(scope, st_take(st_permute(scope, st_take(split), order, 4)),
                      st_shape3(heads, groups * keys, dim));
}

/* rows [groups, keys, channels], weight [heads, dim, channels] -> [groups, heads keys, channels] */
static sonic_tensor *fold(sonic_scope *scope, sonic_tensor *rows, sonic_tensor *weight)
{
    const int64_t order[4] = {1, 0, 2, 3};
    int64_t heads = st_size(weight, 0), groups = st_size(rows, 0), keys = st_size(rows, 1), channels = st_size(rows, 2);
    sonic_tensor *product = st_matmul(scope, st_take(rows_by_head(scope, rows, heads)), weight);
    product = st_reshape(scope, st_take(product), st_shape4(heads, groups, keys, channels));
    return st_reshape(scope, st_take(st_permute(scope, st_take(product), order, 4)),
                      st_shape3(groups, heads * keys, channels));
}

/* to_q [heads dim, channels] -> [heads, dim, channels] */
static sonic_tensor *query_weight_by_head(sonic_scope *scope, const sonic_network *attn, int64_t dim)
{
    sonic_tensor *weight = sonic_layer_weight(scope, attn, "to_q.weight");
    return st_reshape(scope, weight, st_shape3(st_size(weight, 0) / dim, dim, st_size(weight, 1)));
}

/* to_out [channels, heads dim] -> [heads, dim, channels] */
static sonic_tensor *output_weight_by_head(sonic_scope *scope, const sonic_network *attn, int64_t dim)
{
    const int64_t order[3] = {1, 2, 0};
    sonic_tensor *weight = sonic_layer_weight(scope, attn, "to_out.0.weight");
    sonic_tensor *split = st_reshape(scope, weight, st_shape3(st_size(weight, 0), st_size(weight, 1) / dim, dim));
    return st_permute(scope, st_take(split), order, 3);
}

/* n [groups, queries, channels], k and v [groups, keys, channels] -> [groups, queries, channels] */
static sonic_tensor *attend_folded(sonic_scope *scope, const sonic_network *attn, int64_t dim, sonic_tensor *n,
                                   sonic_tensor *k, sonic_tensor *v)
{
    int64_t groups = st_size(n, 0), queries = st_size(n, 1), keys = st_size(k, 1), heads = st_size(k, 2) / dim;
    sonic_tensor *keys_folded = fold(scope, st_take(st_mul_scalar(scope, k, 1.0 / sqrt((double)dim))),
                                     st_take(query_weight_by_head(scope, attn, dim)));
    sonic_tensor *scores = st_matmul(scope, n, st_take(st_transpose(scope, st_take(keys_folded), 1, 2)));
    scores = st_reshape(scope, st_take(scores), st_shape4(groups, queries, heads, keys));
    sonic_tensor *p = st_softmax(scope, st_take(scores), 3);
    p = st_reshape(scope, st_take(p), st_shape3(groups, queries, heads * keys));
    return st_matmul(scope, st_take(p), st_take(fold(scope, v, st_take(output_weight_by_head(scope, attn, dim)))));
}

static sonic_tensor *attend_unfolded(sonic_scope *scope, const sonic_network *attn, int64_t dim, sonic_tensor *n,
                                     sonic_tensor *k, sonic_tensor *v)
{
    sonic_tensor *q = sonic_layer_linear(scope, attn, "to_q", n);
    sonic_tensor *y = sonic_layer_attention(scope, st_take(q), k, v, st_size(k, 2) / dim);
    return st_linear(scope, st_take(y), sonic_layer_weight(scope, attn, "to_out.0.weight"), NULL);
}

/* Compares multiply-adds of one side, per group. Folded: queries x channels into heads * keys columns, and the fold.
 * Plain: queries x channels into channels, and the products of queries with keys. */
static bool folding_is_cheaper(const sonic_unet_pass *pass, int64_t queries, int64_t keys, int64_t channels)
{
    int64_t heads = channels / pass->unet->head_dim;
    int64_t folded = queries * heads * keys * channels + keys * channels * channels,
            plain = queries * channels * channels + queries * keys * channels;
    return folded < plain && !(pass->step->options & SONIC_UNET_UNFOLDED);
}

/* n [groups, queries, channels], taken; audio [groups, keys, context] -> to_out's product without its bias */
static sonic_tensor *attend(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_network *attn, sonic_tensor *n,
                            sonic_tensor *audio)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    int64_t channels = st_size(n, 2), dim = pass->unet->head_dim;
    bool folded = folding_is_cheaper(pass, st_size(n, 1), st_size(audio, 1), channels);
    sonic_tensor *k = st_linear(&s, audio, sonic_layer_weight(&s, attn, "processor.to_k_ip.0.weight"), NULL);
    sonic_tensor *v = st_linear(&s, audio, sonic_layer_weight(&s, attn, "processor.to_v_ip.0.weight"), NULL);
    sonic_tensor *y =
        folded ? attend_folded(&s, attn, dim, st_take(n), k, v) : attend_unfolded(&s, attn, dim, st_take(n), k, v);
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* A rectangle of tokens; the mask is exactly 0 outside. */
typedef struct region {
    int64_t top, rows, left, columns;
} region;

static region mask_region(const sonic_unet_pass *pass)
{
    const int64_t *r = (const int64_t *)st_data(pass->constants->rectangles) + 4 * pass->level;
    region all = {0, pass->rows, 0, pass->columns}, part = {r[0], r[1], r[2], r[3]};
    return pass->step->options & SONIC_UNET_WHOLE_MASK ? all : part;
}

/* x [any, rows, columns, channels], a view */
static sonic_tensor *cut(sonic_scope *scope, sonic_tensor *x, region r)
{
    sonic_tensor *lines = st_slice(scope, x, 1, r.top, r.rows);
    return st_slice(scope, st_take(lines), 2, r.left, r.columns);
}

/* This level's mask in the region: [1, rows, columns, 1] */
static sonic_tensor *region_mask(sonic_scope *scope, const sonic_unet_pass *pass, region r)
{
    int64_t offset = 0, rows = pass->rows << pass->level, columns = pass->columns << pass->level;
    for (int32_t level = 0; level < pass->level; level++)
        offset += (rows >> level) * (columns >> level);
    sonic_tensor *mask = st_slice(scope, pass->constants->masks, 0, offset, pass->rows * pass->columns);
    return cut(scope, st_view(scope, st_take(mask), st_shape4(1, pass->rows, pass->columns, 1)), r);
}

/* The audio residual of `part` [frames, rows, columns, channels], not yet masked. */
static sonic_tensor *audio_residual(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_network *block,
                                    sonic_tensor *part, sonic_tensor *audio)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network attn = sonic_network_part(block, "attn2");
    sonic_shape shape = st_shape(part);
    int64_t groups = st_size(audio, 0), frames = shape.size[0], channels = shape.size[3];
    sonic_tensor *n = sonic_unet_norm_rows(&s, block, "norm2", part, NULL);
    n = st_reshape(&s, st_take(n),
                   st_shape3(groups, frames / (groups ? groups : 1) * shape.size[1] * shape.size[2], channels));
    sonic_tensor *y = attend(&s, pass, &attn, n, audio);
    y = st_return(&s, st_reshape(&s, st_take(y), shape));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* x [frames, rows, columns, channels] of one branch */
static void spatial_branch(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_unet_attention *layer,
                           const sonic_network *block, sonic_tensor *x, int64_t branch)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    region r = mask_region(pass);
    sonic_tensor *part = r.rows * r.columns > 0 ? cut(&s, x, r) : NULL, *y = NULL;
    if (part)
        y = audio_residual(&s, pass, block, part, pass->audio[branch]);
    sonic_tensor *image = window_image(&s, pass, pass->constants->image_spatial, branch, layer);
    st_add_in_place(&s, x, st_reshape(&s, image, st_shape4(st_size(image, 0), 1, 1, layer->channels)));
    if (part)
        st_add_product_in_place(&s, part, st_take(y), region_mask(&s, pass, r), audio_scale(pass));
    sonic_scope_close(&s);
}

void sonic_unet_spatial_audio_attention(sonic_scope *outer, const sonic_unet_pass *pass,
                                        const sonic_unet_attention *layer, const sonic_network *block, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network attn = sonic_network_part(block, "attn2");
    sonic_tensor *before = sonic_unet_probe_before(&s, &attn, x);
    for (int64_t b = 0; b < pass->branch_count && !s.status; b++) {
        sonic_tensor *branch = st_take(st_slice(&s, x, 0, b, 1));
        branch = st_view(&s, branch, st_shape4(pass->frame_count, pass->rows, pass->columns, layer->channels));
        spatial_branch(&s, pass, layer, block, branch, b);
    }
    sonic_unet_probe_added(&s, &attn, x, before, false);
    sonic_scope_close(&s);
}

/* x [all tokens, channels] of one branch; every token attends to the window's mean tokens. */
static void temporal_branch(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_unet_attention *layer,
                            const sonic_network *block, sonic_tensor *x, int64_t branch, sonic_tensor *bias)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network attn = sonic_network_part(block, "attn2");
    sonic_tensor *image = window_image(&s, pass, pass->constants->image_temporal, branch, layer);
    sonic_tensor *tokens = st_view(&s, x, st_shape3(1, st_size(x, 0), layer->channels));
    sonic_tensor *n = sonic_unet_norm_rows(&s, block, "norm2", tokens, bias);
    sonic_tensor *y = attend(&s, pass, &attn, n, pass->audio_mean[branch]);
    st_add_scaled_in_place(&s, x, st_take(st_reshape(&s, st_take(y), st_shape(x))), audio_scale(pass));
    st_add_in_place(&s, x, window_mean(&s, image));
    sonic_scope_close(&s);
}

void sonic_unet_temporal_audio_attention(sonic_scope *outer, const sonic_unet_pass *pass,
                                         const sonic_unet_attention *layer, const sonic_network *block, sonic_tensor *x,
                                         sonic_tensor *bias)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network attn = sonic_network_part(block, "attn2");
    sonic_tensor *before = sonic_unet_probe_before(&s, &attn, x);
    for (int64_t b = 0; b < pass->branch_count && !s.status; b++)
        temporal_branch(&s, pass, layer, block, sonic_unet_rows(&s, st_take(st_slice(&s, x, 0, b, 1))), b, bias);
    sonic_unet_probe_added(&s, &attn, x, before, true);
    sonic_scope_close(&s);
}
