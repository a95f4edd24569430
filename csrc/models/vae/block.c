#include "models/vae/block.h"

sonic_tensor *sonic_vae_res_block(sonic_scope *outer, const sonic_network *block, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *y = sonic_layer_group_norm_silu(&s, block, "norm1", x, SONIC_VAE_EPSILON);
    y = sonic_layer_conv2d(&s, block, "conv1", st_take(y), 1, 1);
    y = sonic_layer_group_norm_silu(&s, block, "norm2", st_take(y), SONIC_VAE_EPSILON);
    y = sonic_layer_conv2d(&s, block, "conv2", st_take(y), 1, 1);
    if (sonic_network_has(block, "nin_shortcut.weight"))
        x = sonic_layer_conv2d(&s, block, "nin_shortcut", st_take(x), 1, 0);
    y = st_return(&s, st_add_in_place(&s, y, st_take(x)));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* The file stores the projections as 1x1 convolutions. x [b, n, c] -> [b, n, c] */
static sonic_tensor *project(sonic_scope *scope, const sonic_network *block, const char *name, sonic_tensor *x)
{
    sonic_tensor *weight = sonic_layer_weight(scope, block, "%s.weight", name); /* [c, c, 1, 1] */
    weight = st_reshape(scope, weight, st_shape2(st_size(weight, 0), st_size(weight, 1)));
    return st_linear(scope, x, st_take(weight), sonic_layer_weight(scope, block, "%s.bias", name));
}

sonic_tensor *sonic_vae_attention(sonic_scope *outer, const sonic_network *block, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_shape shape = st_shape(x);
    sonic_tensor *y = sonic_layer_group_norm(&s, block, "norm", x, SONIC_VAE_EPSILON);
    y = st_reshape(&s, st_take(y), st_shape3(shape.size[0], shape.size[1], -1));
    y = st_contiguous(&s, st_take(st_transpose(&s, st_take(y), 1, 2))); /* [b, h w, c] */
    sonic_tensor *q = project(&s, block, "q", y), *k = project(&s, block, "k", y),
                 *v = project(&s, block, "v", st_take(y));
    y = sonic_layer_attention(&s, st_take(q), st_take(k), st_take(v), 1);
    y = st_transpose(&s, st_take(project(&s, block, "proj_out", st_take(y))), 1, 2);
    y = st_reshape(&s, st_take(y), shape);
    y = st_return(&s, st_add_in_place(&s, y, st_take(x)));
    sonic_layer_probe(block, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
