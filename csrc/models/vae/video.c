#include "models/vae/video.h"

static const double temporal_epsilon = 1e-5;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* Spatial part */

/* x [frames, c, h, w] is released. */
static sonic_tensor *spatial_block(sonic_scope *scope, const sonic_network *upsample, const sonic_network *block,
                                   sonic_tensor *x, int64_t part_values)
{
    if (upsample)
        x = sonic_layer_conv2d(scope, upsample, "upsample.conv", st_take(st_resize_nearest(scope, st_take(x), 2)), 1,
                               1);
    return sonic_vae_res_block(scope, block, x, part_values);
}

/* How many frames of the block's input or output, whichever is larger, have at most `part_values` values; 1 at least.
 */
static int64_t frames_per_part(const sonic_network *upsample, const sonic_network *block, const sonic_tensor *x,
                               int64_t part_values)
{
    int64_t in = st_size(x, 1), out = st_size(sonic_layer_find(block, "conv1.bias"), 0);
    int64_t values = (in > out ? in : out) * st_size(x, 2) * st_size(x, 3) * (upsample ? 4 : 1);
    return values < part_values && values > 0 ? part_values / values : 1;
}

/* All frames, part after part. Overwrites x where the shape stays; otherwise releases it. */
static sonic_tensor *spatial_blocks(sonic_scope *outer, const sonic_network *upsample, const sonic_network *block,
                                    sonic_tensor *x, int64_t part_values)
{
    int64_t frames = st_size(x, 0), step = frames_per_part(upsample, block, x, part_values);
    if (step >= frames)
        return spatial_block(outer, upsample, block, x, part_values);
    sonic_scope s;
    sonic_scope_open(&s, outer);
    bool in_place = !upsample && !sonic_network_has(block, "nin_shortcut.weight");
    sonic_tensor *out = in_place ? x : NULL;
    for (int64_t at = 0; at < frames && !s.status; at += step) {
        int64_t count = min64(step, frames - at);
        sonic_tensor *y = spatial_block(&s, upsample, block, st_slice(&s, x, 0, at, count), part_values);
        out = out ? out : st_empty_images(&s, y, frames);
        sonic_tensor *target = st_slice(&s, out, 0, at, count);
        st_copy_in_place(&s, target, st_take(y));
        st_release(target);
    }
    if (!in_place && !s.status)
        st_release(x);
    out = st_return(&s, out);
    return sonic_scope_close(&s) == SONIC_OK ? out : NULL;
}

/* Temporal part */

/* [f, c, h, w] -> [1, c, f, h w], a view */
static sonic_tensor *as_video(sonic_scope *scope, sonic_tensor *x)
{
    sonic_tensor *rows = st_view(scope, x, st_shape3(st_size(x, 0), st_size(x, 1), st_size(x, 2) * st_size(x, 3)));
    sonic_tensor *video = st_transpose(scope, st_take(rows), 0, 1);
    return st_view(scope, st_take(video), st_shape4(1, st_size(video, 0), st_size(video, 1), st_size(video, 2)));
}

/* [1, c, f, h w] -> [f, c, h, w], a view */
static sonic_tensor *as_frames(sonic_scope *scope, sonic_tensor *x, int64_t rows, int64_t columns)
{
    sonic_shape shape = {4, {st_size(x, 1), st_size(x, 2), rows, columns}};
    return st_transpose(scope, st_take(st_reshape(scope, x, shape)), 0, 1);
}

/* The weight [out, in, 3, 1, 1] as a 3 x 1 kernel on [1, c, f, h w]: libtorch's 2-D kernels are faster than its 3-D
 * ones.
 */
static sonic_tensor *convolve_video(sonic_scope *scope, sonic_tensor *video, sonic_tensor *weight, sonic_tensor *bias)
{
    static const int64_t padding[2] = {1, 0};
    sonic_tensor *kernel =
        st_reshape(scope, weight, st_shape4(st_size(weight, 0), st_size(weight, 1), st_size(weight, 2), 1));
    return st_conv2d_padded(scope, video, st_take(kernel), bias, padding);
}

sonic_tensor *sonic_vae_temporal_conv(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias)
{
    int64_t rows = st_size(x, 2), columns = st_size(x, 3);
    return as_frames(scope, st_take(convolve_video(scope, st_take(as_video(scope, x)), weight, bias)), rows, columns);
}

/* The temporal residual t(y) of a block, its blend factor s folded into the last convolution. */
typedef struct time_stack {
    sonic_network network;
    sonic_tensor *weight[2], *bias[2]; /* of the convolutions */
} time_stack;

/* The mixed block is (1 - s) y + s (y + t(y)) = y + s t(y) with s = sigmoid(mix_factor). */
static time_stack time_stack_open(sonic_scope *scope, const sonic_network *block)
{
    time_stack stack = {sonic_network_part(block, "time_stack"), {NULL}, {NULL}};
    sonic_tensor *share = st_sigmoid(scope, sonic_layer_weight(scope, block, "mix_factor")); /* [1] */
    stack.weight[0] = sonic_layer_weight(scope, &stack.network, "in_layers.2.weight");
    stack.bias[0] = sonic_layer_weight(scope, &stack.network, "in_layers.2.bias");
    stack.weight[1] = st_mul(scope, sonic_layer_weight(scope, &stack.network, "out_layers.3.weight"), share);
    stack.bias[1] = st_mul(scope, sonic_layer_weight(scope, &stack.network, "out_layers.3.bias"), share);
    return stack;
}

static sonic_tensor *temporal_whole(sonic_scope *scope, const time_stack *stack, sonic_tensor *y)
{
    int64_t rows = st_size(y, 2), columns = st_size(y, 3);
    sonic_tensor *t = sonic_layer_group_norm_silu(scope, &stack->network, "in_layers.0", st_take(as_video(scope, y)),
                                                  temporal_epsilon);
    t = convolve_video(scope, st_take(t), stack->weight[0], stack->bias[0]);
    t = sonic_layer_group_norm_silu(scope, &stack->network, "out_layers.0", st_take(t), temporal_epsilon);
    t = convolve_video(scope, st_take(t), stack->weight[1], stack->bias[1]);
    return as_frames(scope, st_take(t), rows, columns);
}

/* In place, a range of positions at a time. */
static void convolve(sonic_scope *scope, sonic_tensor *video, sonic_tensor *weight, sonic_tensor *bias, int64_t parts)
{
    int64_t positions = st_size(video, 3), count = (positions + parts - 1) / parts;
    for (int64_t at = 0; at < positions && !scope->status; at += count) {
        sonic_tensor *part = st_slice(scope, video, 3, at, min64(count, positions - at));
        sonic_vae_copy_to(scope, video, 3, at, convolve_video(scope, st_take(part), weight, bias));
    }
}

static sonic_tensor *temporal_in_parts(sonic_scope *scope, const time_stack *stack, sonic_tensor *y, int64_t parts)
{
    sonic_tensor *t = st_empty_images(scope, y, st_size(y, 0)), *video = as_video(scope, t), *from = as_video(scope, y);
    sonic_vae_norm_silu(scope, &stack->network, "in_layers.0", video, from, parts, temporal_epsilon);
    convolve(scope, video, stack->weight[0], stack->bias[0], parts);
    sonic_vae_norm_silu(scope, &stack->network, "out_layers.0", video, video, parts, temporal_epsilon);
    convolve(scope, video, stack->weight[1], stack->bias[1], parts);
    st_release(from);
    st_release(video);
    return t;
}

/* y += s t(y). y [f, c, h, w] is taken; group normalisation spans all frames. */
static sonic_tensor *temporal_block(sonic_scope *outer, const sonic_network *block, sonic_tensor *y,
                                    int64_t part_values)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    time_stack stack = time_stack_open(&s, block);
    int64_t parts = sonic_vae_norm_parts(y, part_values);
    sonic_tensor *t = parts == 1 ? temporal_whole(&s, &stack, y) : temporal_in_parts(&s, &stack, y, parts);
    y = st_return(&s, st_add_in_place(&s, y, st_take(t)));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

sonic_tensor *sonic_vae_video_block(sonic_scope *scope, const sonic_network *upsample, const sonic_network *block,
                                    sonic_tensor *x, int64_t part_values)
{
    x = temporal_block(scope, block, spatial_blocks(scope, upsample, block, x, part_values), part_values);
    sonic_layer_probe(block, x);
    return x;
}
