#include "models/vae/encoder.h"

/* Zero padding at the bottom and right, then a convolution of stride 2. x is released. */
static sonic_tensor *downsample(sonic_scope *scope, const sonic_network *level, sonic_tensor *x)
{
    static const int64_t bottom_right[4] = {0, 1, 0, 1};
    return sonic_layer_conv2d(scope, level, "downsample.conv", st_take(st_pad(scope, st_take(x), bottom_right, 4)), 2,
                              0);
}

static sonic_tensor *down_level(sonic_scope *scope, const sonic_network *level, sonic_tensor *x)
{
    for (int j = 0; sonic_network_has(level, "block.%d.conv1.weight", j); j++) {
        sonic_network block = sonic_network_part(level, "block.%d", j);
        x = sonic_vae_res_block(scope, &block, x, SONIC_VAE_PART_VALUES);
        sonic_layer_probe(&block, x);
    }
    return sonic_network_has(level, "downsample.conv.weight") ? downsample(scope, level, x) : x;
}

static sonic_tensor *middle(sonic_scope *scope, const sonic_network *net, sonic_tensor *x)
{
    sonic_network first = sonic_network_part(net, "mid.block_1"), attention = sonic_network_part(net, "mid.attn_1"),
                  second = sonic_network_part(net, "mid.block_2");
    x = sonic_vae_res_block(scope, &first, x, SONIC_VAE_PART_VALUES);
    x = sonic_vae_attention(scope, &attention, x);
    x = sonic_vae_res_block(scope, &second, x, SONIC_VAE_PART_VALUES);
    sonic_layer_probe(&second, x);
    return x;
}

/* [b, 3, rows, columns] -> moments [b, 8, rows / 8, columns / 8] */
static sonic_tensor *encode(sonic_scope *outer, const sonic_network *vae, sonic_tensor *image)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_part(vae, "encoder");
    sonic_tensor *x = st_cast_like(&s, image, sonic_layer_weight(&s, &net, "conv_in.weight"));
    x = sonic_layer_conv2d(&s, &net, "conv_in", st_take(x), 1, 1);
    for (int i = 0; sonic_network_has(&net, "down.%d.block.0.conv1.weight", i); i++) {
        sonic_network level = sonic_network_part(&net, "down.%d", i);
        x = down_level(&s, &level, x);
    }
    x = sonic_layer_group_norm_silu(&s, &net, "norm_out", st_take(middle(&s, &net, x)), SONIC_VAE_EPSILON);
    x = sonic_layer_conv2d(&s, &net, "conv_out", st_take(x), 1, 1);
    if (sonic_network_has(vae, "quant_conv.weight"))
        x = sonic_layer_conv2d(&s, vae, "quant_conv", st_take(x), 1, 0);
    x = st_return(&s, x);
    sonic_layer_probe(&net, x);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

static void check_image(sonic_scope *scope, sonic_tensor *image)
{
    sonic_shape shape = st_shape(image);
    if (!scope->status && (shape.dims != 4 || shape.size[1] != 3 || shape.size[2] < 8 || shape.size[3] < 8 ||
                           shape.size[2] % 8 || shape.size[3] % 8))
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_SHAPE,
                                    "Resize the image to sides that are multiples of 8 pixels: it is %lld x %lld.",
                                    (long long)shape.size[3], (long long)shape.size[2]));
}

void sonic_vae_encode(sonic_tensor **mean, sonic_tensor **log_variance, sonic_scope *outer, sonic_operator_call *call,
                      sonic_tensor *image, const char *prefix)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network vae = sonic_network_at(call, "%s", prefix);
    check_image(&s, image);
    sonic_tensor *moments = encode(&s, &vae, image);
    int64_t channels = st_size(moments, 1) / 2;
    *mean = st_return(&s, st_slice(&s, moments, 1, 0, channels));
    *log_variance = st_return(&s, st_clamp(&s, st_take(st_slice(&s, moments, 1, channels, channels)), -30, 20));
    if (sonic_scope_close(&s) != SONIC_OK)
        *mean = *log_variance = NULL;
}
