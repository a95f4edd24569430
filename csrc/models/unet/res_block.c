#include "models/unet/res_block.h"

#include "kernels/fused.h"
#include "models/unet/unet_views.h"
#include "torch/device.h"

/* conv1's bias + time_emb_proj(SiLU(emb)), the same for every position: [channels] */
static sonic_tensor *bias_with_time(sonic_scope *scope, const sonic_unet_pass *pass, const sonic_network *block)
{
    sonic_tensor *time = sonic_layer_linear(scope, block, "time_emb_proj", pass->embedding);
    sonic_tensor *bias = sonic_layer_weight(scope, block, "conv1.bias");
    return st_add(scope, bias, st_take(st_reshape(scope, st_take(time), st_shape1(st_size(bias, 0)))));
}

/* conv2's bias and the shortcut's: the shortcut then accumulates its matrix product into conv2's result. */
static sonic_tensor *bias_with_shortcut(sonic_scope *scope, const sonic_network *block)
{
    sonic_tensor *bias = sonic_layer_weight(scope, block, "conv2.bias"),
                 *shortcut = sonic_layer_find(block, "conv_shortcut.bias");
    return shortcut ? st_add(scope, bias, shortcut) : bias;
}

static void add_shortcut(sonic_scope *scope, const sonic_network *block, sonic_tensor *y, sonic_tensor *x)
{
    if (sonic_network_has(block, "conv_shortcut.weight")) {
        sonic_tensor *weight = sonic_layer_weight(scope, block, "conv_shortcut.weight"); /* [out, in, 1, 1] */
        weight = st_reshape(scope, weight, st_shape2(st_size(weight, 0), st_size(weight, 1)));
        st_add_linear_in_place(scope, sonic_unet_rows(scope, y), sonic_unet_rows(scope, x), weight);
    } else
        st_add_in_place(scope, y, x);
}

/* On a CPU, oneDNN's convolution of channels-last images is slow where they have few pixels: with 1280 channels it
 * takes 1.7 times as long on 4 x 4 and 2.5 times as long on 2 x 2 as that of images in planes, and converting weight
 * and images to planes costs a third of the difference. It costs more than it saves below so many images. */
enum { SMALL_PIXELS = 16, SMALL_IMAGES = 24 };

static bool is_faster_in_planes(const sonic_scope *scope, const sonic_tensor *images)
{
    return st_computes_on_host(scope, images) && st_size(images, 0) >= SMALL_IMAGES &&
           st_size(images, 2) * st_size(images, 3) <= SMALL_PIXELS;
}

/* The same convolution, with the weight converted an eighth of the channels at a time: whole, the largest would take
 * more memory than all activations of a small picture. images are taken. */
static sonic_tensor *conv_in_planes(sonic_scope *scope, sonic_tensor *images, sonic_tensor *weight, sonic_tensor *bias)
{
    enum { PARTS = 8 };
    sonic_tensor *parts[PARTS], *planes = st_contiguous(scope, st_take(images));
    int64_t channels = st_size(weight, 0), step = (channels + PARTS - 1) / PARTS;
    int32_t count = 0;
    for (int64_t at = 0; at < channels && !scope->status; at += step) {
        int64_t size = channels - at < step ? channels - at : step;
        sonic_tensor *part = st_contiguous(scope, st_take(st_slice(scope, weight, 0, at, size)));
        sonic_tensor *part_bias = bias ? st_take(st_slice(scope, bias, 0, at, size)) : NULL;
        parts[count++] = st_take(st_conv2d(scope, planes, st_take(part), part_bias, 1, 1, 1));
    }
    st_release(planes);
    return scope->status ? NULL : st_cat(scope, parts, count, 1);
}

/* 3 x 3 in each frame. x [branches, frames, tokens, in], taken -> [branches, frames, tokens, out] */
static sonic_tensor *spatial_conv(sonic_scope *scope, const sonic_unet_pass *pass, const sonic_network *block,
                                  const char *name, sonic_tensor *x, sonic_tensor *bias)
{
    sonic_tensor *images = sonic_unet_images(scope, pass, st_take(x)),
                 *weight = sonic_layer_weight(scope, block, "%s.weight", name);
    sonic_tensor *y = is_faster_in_planes(scope, images) ? conv_in_planes(scope, images, weight, bias)
                                                         : st_conv2d(scope, st_take(images), weight, bias, 1, 1, 1);
    return sonic_unet_from_images(scope, pass, y);
}

/* Kernel 3 over frames with zero padding; weight [out, in, 3, 1, 1]. x as in spatial_conv */
static sonic_tensor *temporal_conv(sonic_scope *scope, const sonic_network *block, const char *name, sonic_tensor *x,
                                   sonic_tensor *bias)
{
    const int64_t padding[2] = {1, 0};
    sonic_tensor *videos = sonic_unet_videos(scope, st_take(x)),
                 *weight = sonic_layer_weight(scope, block, "%s.weight", name);
    weight = st_reshape(scope, weight, st_shape4(st_size(weight, 0), st_size(weight, 1), st_size(weight, 2), 1));
    return sonic_unet_from_videos(scope, st_conv2d_padded(scope, st_take(videos), st_take(weight), bias, padding));
}

/* conv2(SiLU(GN(conv1(SiLU(GN(x))) + time))) + shortcut(x); statistics of each frame. On a card conv1's bias is added
 * by the kernel of the normalisation after it: PyTorch adds it in a pass of its own. */
static sonic_tensor *spatial(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_network *block,
                             sonic_tensor *x, double epsilon, sonic_tensor *last_bias)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *h = sonic_unet_norm_frames_silu(&s, block, "norm1", x, NULL, epsilon),
                 *bias = bias_with_time(&s, pass, block);
    bool later = sonic_fused_on_device(&s, h);
    h = spatial_conv(&s, pass, block, "conv1", h, later ? NULL : bias);
    h = sonic_unet_norm_frames_silu(&s, block, "norm2", st_take(h), later ? bias : NULL, epsilon);
    h = spatial_conv(&s, pass, block, "conv2", h, last_bias);
    add_shortcut(&s, block, h, x);
    h = st_return(&s, h);
    return sonic_scope_close(&s) == SONIC_OK ? h : NULL;
}

/* The same over frames of x + before, without adding that; statistics over all frames of a branch. */
static sonic_tensor *temporal(sonic_scope *outer, const sonic_unet_pass *pass, const sonic_network *block,
                              sonic_tensor *x, sonic_tensor *before, double epsilon, sonic_tensor *last_bias)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *h = sonic_unet_norm_video_silu(&s, block, "norm1", x, before, epsilon),
                 *bias = bias_with_time(&s, pass, block);
    bool later = sonic_fused_on_device(&s, h);
    h = temporal_conv(&s, block, "conv1", h, later ? NULL : bias);
    h = sonic_unet_norm_video_silu(&s, block, "norm2", st_take(h), later ? bias : NULL, epsilon);
    h = temporal_conv(&s, block, "conv2", h, last_bias);
    h = st_return(&s, h);
    return sonic_scope_close(&s) == SONIC_OK ? h : NULL;
}

static void probe_temporal(sonic_scope *scope, const sonic_unet_pass *pass, const sonic_network *block, sonic_tensor *y,
                           sonic_tensor *t)
{
    if (!sonic_unet_is_probed(block))
        return;
    sonic_shape shape = {5, {pass->branch_count, st_size(y, 3), pass->frame_count, pass->rows, pass->columns}};
    sonic_layer_probe(block, st_reshape(scope, st_take(sonic_unet_videos(scope, st_add(scope, y, t))), shape));
}

/* a is the weight of the spatial part: a y + (1 - a) (y + t) = y + (1 - a) t. On a card the last biases of both parts
 * are added with t. */
sonic_tensor *sonic_unet_res_block(sonic_scope *outer, sonic_unet_pass *pass, const sonic_network *network,
                                   sonic_tensor *x, double epsilon)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network spatial_network = sonic_network_part(network, "spatial_res_block"),
                  temporal_network = sonic_network_part(network, "temporal_res_block");
    const float *mixes = st_data(pass->constants->mixes);
    double mix = mixes[pass->next_res++];
    sonic_tensor *y_bias = bias_with_shortcut(&s, &spatial_network),
                 *t_bias = sonic_layer_weight(&s, &temporal_network, "conv2.bias");
    bool later = sonic_fused_on_device(&s, x) && !sonic_unet_is_probed(network);
    sonic_tensor *y = spatial(&s, pass, &spatial_network, x, epsilon, later ? NULL : y_bias);
    sonic_layer_probe(&spatial_network, sonic_unet_images(&s, pass, y));
    sonic_tensor *t = temporal(&s, pass, &temporal_network, y, later ? y_bias : NULL, epsilon, later ? NULL : t_bias);
    probe_temporal(&s, pass, &temporal_network, y, t);
    if (later)
        sonic_fused_add_scaled(&s, y, st_take(t), mix, st_take(st_add_scaled(&s, y_bias, t_bias, mix)));
    else
        st_add_scaled_in_place(&s, y, st_take(t), mix);
    sonic_layer_probe(network, sonic_unet_images(&s, pass, y));
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
