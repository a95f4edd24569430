#include "models/vae/block.h"

#include "torch/device.h"

int64_t sonic_vae_norm_parts(const sonic_tensor *x, int64_t part_values)
{
    int64_t parts = 1;
    while (parts < SONIC_VAE_GROUPS && st_count(x) > parts * part_values)
        parts *= 2;
    return parts;
}

void sonic_vae_copy_to(sonic_scope *scope, sonic_tensor *to, int64_t dim, int64_t at, sonic_tensor *part)
{
    sonic_tensor *target = st_slice(scope, to, dim, at, st_size(part, (int32_t)dim));
    st_copy_in_place(scope, target, st_take(part));
    st_release(target);
}

void sonic_vae_norm_silu(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *to,
                         sonic_tensor *from, int64_t parts, double epsilon)
{
    sonic_tensor *weight = sonic_layer_weight(scope, network, "%s.weight", name),
                 *bias = sonic_layer_weight(scope, network, "%s.bias", name);
    int64_t count = st_size(from, 1) / parts;
    for (int64_t i = 0; i < parts && !scope->status; i++) {
        sonic_tensor *w = st_slice(scope, weight, 0, i * count, count), *b = st_slice(scope, bias, 0, i * count, count);
        sonic_tensor *n = st_group_norm(scope, st_take(st_slice(scope, from, 1, i * count, count)),
                                        SONIC_VAE_GROUPS / parts, st_take(w), st_take(b), epsilon);
        sonic_vae_copy_to(scope, to, 1, i * count, st_silu_in_place(scope, n));
    }
}

/* SiLU(GN x), a new tensor. */
static sonic_tensor *norm_silu(sonic_scope *scope, const sonic_network *block, const char *name, sonic_tensor *x,
                               int64_t part_values)
{
    int64_t parts = st_computes_on_host(scope, x) ? 1 : sonic_vae_norm_parts(x, part_values);
    if (parts == 1)
        return sonic_layer_group_norm_silu(scope, block, name, x, SONIC_VAE_EPSILON);
    sonic_tensor *y = st_empty_images(scope, x, st_size(x, 0));
    sonic_vae_norm_silu(scope, block, name, y, x, parts, SONIC_VAE_EPSILON);
    return y;
}

sonic_tensor *sonic_vae_res_block(sonic_scope *outer, const sonic_network *block, sonic_tensor *x, int64_t part_values)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *y = norm_silu(&s, block, "norm1", x, part_values);
    y = sonic_layer_conv2d(&s, block, "conv1", st_take(y), 1, 1);
    sonic_tensor *n = norm_silu(&s, block, "norm2", y, part_values);
    st_release(y);
    y = sonic_layer_conv2d(&s, block, "conv2", st_take(n), 1, 1);
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
