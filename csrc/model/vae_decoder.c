#include "model/vae_decoder.h"

static const double temporal_epsilon = 1e-5;

/* Frames as video, all positions in one row: [f, c, h, w] -> [1, c, f, h w], a view */
static sonic_tensor *as_video(sonic_scope *scope, sonic_tensor *x)
{
    sonic_tensor *rows = st_reshape(scope, x, st_shape3(st_size(x, 0), st_size(x, 1), st_size(x, 2) * st_size(x, 3)));
    sonic_tensor *video = st_transpose(scope, st_take(rows), 0, 1);
    return st_reshape(scope, st_take(video), st_shape4(1, st_size(video, 0), st_size(video, 1), st_size(video, 2)));
}

/* [1, c, f, h w] -> [f, c, h, w], a view */
static sonic_tensor *as_frames(sonic_scope *scope, sonic_tensor *x, int64_t rows, int64_t columns)
{
    sonic_shape shape = {4, {st_size(x, 1), st_size(x, 2), rows, columns}};
    return st_transpose(scope, st_take(st_reshape(scope, x, shape)), 0, 1);
}

/* Kernel 3 in time with zeros before the first and behind the last frame of the chunk; 1 in space. The weight [out, in, 3, 1, 1] acts
 * as a 3 x 1 kernel on [1, c, f, h w], for which libtorch has faster kernels than for three dimensions. */
static sonic_tensor *conv_in_time(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias)
{
    static const int64_t padding[2] = {1, 0};
    sonic_tensor *kernel = st_reshape(scope, weight, st_shape4(st_size(weight, 0), st_size(weight, 1), st_size(weight, 2), 1));
    return st_conv2d_padded(scope, x, st_take(kernel), bias, padding);
}

/* The mixed block is (1 - s) y + s (y + t(y)) = y + s t(y) with s = sigmoid(mix_factor), so s goes into t's last layer.
 * y [f, c, h, w]; its group normalisations span all frames. y is released. */
static sonic_tensor *temporal_block(sonic_scope *outer, const sonic_network *block, sonic_tensor *y)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network stack = sonic_network_part(block, "time_stack");
    int64_t rows = st_size(y, 2), columns = st_size(y, 3);
    sonic_tensor *share = st_sigmoid(&s, sonic_layer_weight(&s, block, "mix_factor")); /* [1] */
    sonic_tensor *t = sonic_layer_group_norm_silu(&s, &stack, "in_layers.0", st_take(as_video(&s, y)), temporal_epsilon);
    t = conv_in_time(&s, st_take(t), sonic_layer_weight(&s, &stack, "in_layers.2.weight"), sonic_layer_weight(&s, &stack, "in_layers.2.bias"));
    t = sonic_layer_group_norm_silu(&s, &stack, "out_layers.0", st_take(t), temporal_epsilon);
    sonic_tensor *weight = st_mul(&s, sonic_layer_weight(&s, &stack, "out_layers.3.weight"), share);
    sonic_tensor *bias = st_mul(&s, sonic_layer_weight(&s, &stack, "out_layers.3.bias"), share);
    t = as_frames(&s, st_take(conv_in_time(&s, st_take(t), st_take(weight), st_take(bias))), rows, columns);
    y = st_return(&s, st_add_in_place(&s, y, st_take(t)));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* A block in space, then one in time. x is released. */
static sonic_tensor *video_block(sonic_scope *scope, const sonic_network *block, sonic_tensor *x)
{
    x = temporal_block(scope, block, sonic_vae_res_block(scope, block, x));
    sonic_layer_probe(block, x);
    return x;
}

static sonic_tensor *middle(sonic_scope *scope, const sonic_network *net, sonic_tensor *x)
{
    sonic_network first = sonic_network_part(net, "mid.block_1"), attention = sonic_network_part(net, "mid.attn_1"),
                  second = sonic_network_part(net, "mid.block_2");
    x = video_block(scope, &first, x);
    x = sonic_vae_attention(scope, &attention, x);
    return video_block(scope, &second, x);
}

static sonic_tensor *up_level(sonic_scope *scope, const sonic_network *level, sonic_tensor *x)
{
    for (int j = 0; sonic_network_has(level, "block.%d.conv1.weight", j); j++) {
        sonic_network block = sonic_network_part(level, "block.%d", j);
        x = video_block(scope, &block, x);
    }
    if (!sonic_network_has(level, "upsample.conv.weight"))
        return x;
    return sonic_layer_conv2d(scope, level, "upsample.conv", st_take(st_resize_nearest(scope, st_take(x), 2)), 1, 1);
}

/* The last convolution in space, then one in time. */
static sonic_tensor *output(sonic_scope *scope, const sonic_network *net, sonic_tensor *x)
{
    x = sonic_layer_group_norm_silu(scope, net, "norm_out", st_take(x), SONIC_VAE_EPSILON);
    x = sonic_layer_conv2d(scope, net, "conv_out", st_take(x), 1, 1);
    int64_t rows = st_size(x, 2), columns = st_size(x, 3);
    x = conv_in_time(scope, st_take(as_video(scope, st_take(x))), sonic_layer_weight(scope, net, "conv_out.time_mix_conv.weight"),
                     sonic_layer_weight(scope, net, "conv_out.time_mix_conv.bias"));
    return st_contiguous(scope, st_take(as_frames(scope, st_take(x), rows, columns)));
}

static int level_count(const sonic_network *net)
{
    int count = 0;
    while (sonic_network_has(net, "up.%d.block.0.conv1.weight", count))
        count++;
    return count;
}

static void check_latents(sonic_scope *scope, const sonic_network *net, sonic_tensor *latents)
{
    int64_t channels = st_size(sonic_layer_weight(scope, net, "conv_in.weight"), 1);
    sonic_shape shape = st_shape(latents);
    if (!scope->status && (shape.dims != 4 || shape.size[1] != channels || st_count(latents) < 1))
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_SHAPE, "Give latents of %lld channels, [frames, %lld, height / 8, width / 8]: they have %d dimensions and %lld channels.",
                                           (long long)channels, (long long)channels, (int)shape.dims, (long long)shape.size[1]));
}

sonic_tensor *sonic_vae_decode_chunk(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_at(call, SONIC_VAE_DECODER_PREFIX);
    check_latents(&s, &net, latents);
    sonic_tensor *x = st_cast_like(&s, latents, sonic_layer_weight(&s, &net, "conv_in.weight"));
    x = sonic_layer_conv2d(&s, &net, "conv_in", st_take(x), 1, 1);
    x = middle(&s, &net, x);
    for (int i = level_count(&net) - 1; i >= 0; i--) {
        sonic_network level = sonic_network_part(&net, "up.%d", i);
        x = up_level(&s, &level, x);
    }
    x = st_return(&s, output(&s, &net, x));
    sonic_layer_probe(&net, x);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

sonic_tensor *sonic_vae_decode(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents, int64_t chunk)
{
    enum { CHUNKS_MAX = 4096 };
    sonic_tensor *chunks[CHUNKS_MAX];
    sonic_scope s;
    sonic_scope_open(&s, outer);
    int64_t frames = st_size(latents, 0);
    int32_t count = 0;
    if (!s.status && (chunk < 1 || frames < 1 || (frames + chunk - 1) / chunk > CHUNKS_MAX))
        sonic_scope_fail(&s, sonic_fail(SONIC_ERROR_ARGUMENT, "Decode 1 to %d chunks of at least 1 frame: %lld frames by %lld were asked for.", CHUNKS_MAX,
                                        (long long)frames, (long long)chunk));
    for (int64_t at = 0; at < frames && !s.status; at += chunk) {
        int64_t left = frames - at;
        sonic_tensor *part = st_slice(&s, latents, 0, at, left < chunk ? left : chunk);
        chunks[count++] = st_take(sonic_vae_decode_chunk(&s, call, part));
        st_release(part);
    }
    sonic_tensor *video = count == 1 ? chunks[0] : st_cat(&s, chunks, count, 0);
    video = st_return(&s, video);
    return sonic_scope_close(&s) == SONIC_OK ? video : NULL;
}
