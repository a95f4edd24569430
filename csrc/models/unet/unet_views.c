#include "models/unet/unet_views.h"

#include "kernels/fused.h"

/* Views */

sonic_tensor *sonic_unet_rows(sonic_scope *scope, sonic_tensor *x)
{
    int64_t channels = st_size(x, st_shape(x).dims - 1);
    return st_view(scope, x, st_shape2(channels ? st_count(x) / channels : 0, channels));
}

sonic_tensor *sonic_unet_images(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x)
{
    const int64_t order[4] = {0, 3, 1, 2};
    sonic_tensor *view =
        st_view(scope, x, st_shape4(pass->branch_count * pass->frame_count, pass->rows, pass->columns, st_size(x, 3)));
    return st_permute(scope, st_take(view), order, 4);
}

sonic_tensor *sonic_unet_videos(sonic_scope *scope, sonic_tensor *x)
{
    const int64_t order[4] = {0, 3, 1, 2};
    return st_permute(scope, x, order, 4);
}

sonic_tensor *sonic_unet_from_videos(sonic_scope *scope, sonic_tensor *x)
{
    const int64_t order[4] = {0, 2, 3, 1};
    return st_contiguous(scope, st_take(st_permute(scope, st_take(x), order, 4)));
}

sonic_tensor *sonic_unet_from_images(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x)
{
    int64_t channels = st_size(x, 1);
    sonic_tensor *y = sonic_unet_from_videos(scope, x); /* the same order of dimensions */
    return st_view(scope, st_take(y),
                   st_shape4(pass->branch_count, pass->frame_count, pass->rows * pass->columns, channels));
}

/* Normalisation */

static sonic_tensor *norm_video(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x,
                                sonic_tensor *before, double epsilon, bool silu)
{
    enum { GROUPS = 32 };
    return sonic_fused_group_norm(scope, x, GROUPS, before, sonic_layer_weight(scope, network, "%s.weight", name),
                                  sonic_layer_weight(scope, network, "%s.bias", name), epsilon, silu);
}

static sonic_tensor *norm_frames(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x,
                                 sonic_tensor *before, double epsilon, bool silu)
{
    sonic_shape shape = st_shape(x);
    sonic_tensor *frames = st_view(scope, x, st_shape4(shape.size[0] * shape.size[1], 1, shape.size[2], shape.size[3]));
    sonic_tensor *y = norm_video(scope, network, name, st_take(frames), before, epsilon, silu);
    return st_view(scope, st_take(y), shape);
}

sonic_tensor *sonic_unet_norm_frames(sonic_scope *scope, const sonic_network *network, const char *name,
                                     sonic_tensor *x, double epsilon)
{
    return norm_frames(scope, network, name, x, NULL, epsilon, false);
}

sonic_tensor *sonic_unet_norm_frames_silu(sonic_scope *scope, const sonic_network *network, const char *name,
                                          sonic_tensor *x, sonic_tensor *before, double epsilon)
{
    return norm_frames(scope, network, name, x, before, epsilon, true);
}

sonic_tensor *sonic_unet_norm_video_silu(sonic_scope *scope, const sonic_network *network, const char *name,
                                         sonic_tensor *x, sonic_tensor *before, double epsilon)
{
    return norm_video(scope, network, name, x, before, epsilon, true);
}

sonic_tensor *sonic_unet_norm_rows(sonic_scope *scope, const sonic_network *block, const char *name, sonic_tensor *x,
                                   sonic_tensor *before)
{
    return sonic_fused_layer_norm(scope, x, before, sonic_layer_weight(scope, block, "%s.weight", name),
                                  sonic_layer_weight(scope, block, "%s.bias", name), 1e-5);
}

/* Probes */

bool sonic_unet_is_probed(const sonic_network *network)
{
    return network->call->probe_count > 0 || network->call->check_finite;
}

sonic_tensor *sonic_unet_probe_before(sonic_scope *scope, const sonic_network *network, sonic_tensor *x)
{
    return sonic_unet_is_probed(network) ? st_clone(scope, x) : NULL;
}

void sonic_unet_probe_added(sonic_scope *scope, const sonic_network *layer, sonic_tensor *x, sonic_tensor *before,
                            bool temporal)
{
    if (!before)
        return;
    int64_t branches = st_size(x, 0), frames = st_size(x, 1), tokens = st_size(x, 2), channels = st_size(x, 3);
    sonic_tensor *y = st_sub(scope, x, before);
    if (temporal)
        y = st_transpose(scope, st_take(y), 1, 2);
    sonic_shape shape =
        temporal ? st_shape3(branches * tokens, frames, channels) : st_shape3(branches * frames, tokens, channels);
    sonic_layer_probe(layer, st_reshape(scope, st_take(y), shape));
}
