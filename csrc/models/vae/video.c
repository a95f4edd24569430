#include "models/vae/video.h"

enum { GROUPS = 32 };
static const double temporal_epsilon = 1e-5;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* In space */

/* x [some frames, c, h, w] is released. */
static sonic_tensor *in_frames(sonic_scope *scope, const sonic_network *enlarge, const sonic_network *block,
                               sonic_tensor *x)
{
    if (enlarge)
        x = sonic_layer_conv2d(scope, enlarge, "upsample.conv", st_take(st_resize_nearest(scope, st_take(x), 2)), 1, 1);
    return sonic_vae_res_block(scope, block, x);
}

static int64_t frames_in_part(const sonic_network *enlarge, const sonic_network *block, const sonic_tensor *x,
                              int64_t part)
{
    int64_t in = st_size(x, 1), out = st_size(sonic_layer_find(block, "conv1.bias"), 0);
    int64_t numbers = (in > out ? in : out) * st_size(x, 2) * st_size(x, 3) * (enlarge ? 4 : 1);
    return numbers < part && numbers > 0 ? part / numbers : 1;
}

/* Frames whose size does not change are overwritten. x is released. */
static sonic_tensor *in_each_frame(sonic_scope *outer, const sonic_network *enlarge, const sonic_network *block,
                                   sonic_tensor *x, int64_t part)
{
    int64_t frames = st_size(x, 0), at_once = frames_in_part(enlarge, block, x, part);
    if (at_once >= frames)
        return in_frames(outer, enlarge, block, x);
    sonic_scope s;
    sonic_scope_open(&s, outer);
    bool in_place = !enlarge && !sonic_network_has(block, "nin_shortcut.weight");
    sonic_tensor *out = in_place ? x : NULL;
    for (int64_t at = 0; at < frames && !s.status; at += at_once) {
        int64_t count = smaller(at_once, frames - at);
        sonic_tensor *y = in_frames(&s, enlarge, block, st_slice(&s, x, 0, at, count));
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

/* In time */

/* Frames as video, all positions in one row: [f, c, h, w] -> [1, c, f, h w], a view */
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

/* The weight [out, in, 3, 1, 1] acts as a 3 x 1 kernel on [1, c, f, h w], for which libtorch has faster kernels than
 * for three dimensions. */
static sonic_tensor *conv_video(sonic_scope *scope, sonic_tensor *video, sonic_tensor *weight, sonic_tensor *bias)
{
    static const int64_t padding[2] = {1, 0};
    sonic_tensor *kernel =
        st_reshape(scope, weight, st_shape4(st_size(weight, 0), st_size(weight, 1), st_size(weight, 2), 1));
    return st_conv2d_padded(scope, video, st_take(kernel), bias, padding);
}

sonic_tensor *sonic_vae_conv_in_time(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias)
{
    int64_t rows = st_size(x, 2), columns = st_size(x, 3);
    return as_frames(scope, st_take(conv_video(scope, st_take(as_video(scope, x)), weight, bias)), rows, columns);
}

/* What a block adds over time, with the share that it has of the whole in the last layer's weight and bias. */
typedef struct time_stack {
    sonic_network network;
    sonic_tensor *weight[2], *bias[2]; /* of the convolutions */
} time_stack;

/* The mixed block is (1 - s) y + s (y + t(y)) = y + s t(y) with s = sigmoid(mix_factor). */
static time_stack time_stack_of(sonic_scope *scope, const sonic_network *block)
{
    time_stack stack = {sonic_network_part(block, "time_stack"), {NULL}, {NULL}};
    sonic_tensor *share = st_sigmoid(scope, sonic_layer_weight(scope, block, "mix_factor")); /* [1] */
    stack.weight[0] = sonic_layer_weight(scope, &stack.network, "in_layers.2.weight");
    stack.bias[0] = sonic_layer_weight(scope, &stack.network, "in_layers.2.bias");
    stack.weight[1] = st_mul(scope, sonic_layer_weight(scope, &stack.network, "out_layers.3.weight"), share);
    stack.bias[1] = st_mul(scope, sonic_layer_weight(scope, &stack.network, "out_layers.3.bias"), share);
    return stack;
}

static sonic_tensor *at_once(sonic_scope *scope, const time_stack *stack, sonic_tensor *y)
{
    int64_t rows = st_size(y, 2), columns = st_size(y, 3);
    sonic_tensor *t = sonic_layer_group_norm_silu(scope, &stack->network, "in_layers.0", st_take(as_video(scope, y)),
                                                  temporal_epsilon);
    t = conv_video(scope, st_take(t), stack->weight[0], stack->bias[0]);
    t = sonic_layer_group_norm_silu(scope, &stack->network, "out_layers.0", st_take(t), temporal_epsilon);
    t = conv_video(scope, st_take(t), stack->weight[1], stack->bias[1]);
    return as_frames(scope, st_take(t), rows, columns);
}

static void copy_to(sonic_scope *scope, sonic_tensor *video, int64_t dim, int64_t at, sonic_tensor *part)
{
    sonic_tensor *target = st_slice(scope, video, dim, at, st_size(part, (int32_t)dim));
    st_copy_in_place(scope, target, st_take(part));
    st_release(target);
}

/* SiLU(GN(from)) into `to`, which may be the same; each part has whole groups. */
static void normalise(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *to,
                      sonic_tensor *from, int64_t parts)
{
    sonic_tensor *weight = sonic_layer_weight(scope, network, "%s.weight", name),
                 *bias = sonic_layer_weight(scope, network, "%s.bias", name);
    int64_t count = st_size(from, 1) / parts;
    for (int64_t i = 0; i < parts && !scope->status; i++) {
        sonic_tensor *w = st_slice(scope, weight, 0, i * count, count), *b = st_slice(scope, bias, 0, i * count, count);
        sonic_tensor *n = st_group_norm(scope, st_take(st_slice(scope, from, 1, i * count, count)), GROUPS / parts,
                                        st_take(w), st_take(b), temporal_epsilon);
        copy_to(scope, to, 1, i * count, st_silu_in_place(scope, n));
    }
}

static void convolve(sonic_scope *scope, sonic_tensor *video, sonic_tensor *weight, sonic_tensor *bias, int64_t parts)
{
    int64_t positions = st_size(video, 3), count = (positions + parts - 1) / parts;
    for (int64_t at = 0; at < positions && !scope->status; at += count) {
        sonic_tensor *part = st_slice(scope, video, 3, at, smaller(count, positions - at));
        copy_to(scope, video, 3, at, conv_video(scope, st_take(part), weight, bias));
    }
}

static sonic_tensor *in_parts(sonic_scope *scope, const time_stack *stack, sonic_tensor *y, int64_t parts)
{
    sonic_tensor *t = st_empty_images(scope, y, st_size(y, 0)), *video = as_video(scope, t), *from = as_video(scope, y);
    normalise(scope, &stack->network, "in_layers.0", video, from, parts);
    convolve(scope, video, stack->weight[0], stack->bias[0], parts);
    normalise(scope, &stack->network, "out_layers.0", video, video, parts);
    convolve(scope, video, stack->weight[1], stack->bias[1], parts);
    st_release(from);
    st_release(video);
    return t;
}

/* A power of two, so that it divides the groups. */
static int64_t parts_of(const sonic_tensor *y, int64_t part)
{
    int64_t parts = 1;
    while (parts < GROUPS && st_count(y) > parts * part)
        parts *= 2;
    return parts;
}

/* y [f, c, h, w], taken; the group normalisations span all frames. */
static sonic_tensor *over_time(sonic_scope *outer, const sonic_network *block, sonic_tensor *y, int64_t part)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    time_stack stack = time_stack_of(&s, block);
    int64_t parts = parts_of(y, part);
    sonic_tensor *t = parts == 1 ? at_once(&s, &stack, y) : in_parts(&s, &stack, y, parts);
    y = st_return(&s, st_add_in_place(&s, y, st_take(t)));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

sonic_tensor *sonic_vae_video_block(sonic_scope *scope, const sonic_network *enlarge, const sonic_network *block,
                                    sonic_tensor *x, int64_t part)
{
    x = over_time(scope, block, in_each_frame(scope, enlarge, block, x, part), part);
    sonic_layer_probe(block, x);
    return x;
}
