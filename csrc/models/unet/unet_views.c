#include "models/unet/unet_views.h"

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

sonic_tensor *sonic_unet_norm_video(sonic_scope *scope, const sonic_network *network, const char *name, sonic_tensor *x,
                                    double epsilon)
{
    enum { GROUPS = 32 };
    return st_group_norm_last(scope, x, GROUPS, sonic_layer_weight(scope, network, "%s.weight", name),
                              sonic_layer_weight(scope, network, "%s.bias", name), epsilon);
}

sonic_tensor *sonic_unet_norm_frames(sonic_scope *scope, const sonic_network *network, const char *name,
                                     sonic_tensor *x, double epsilon)
{
    sonic_shape shape = st_shape(x);
    sonic_tensor *frames = st_view(scope, x, st_shape4(shape.size[0] * shape.size[1], 1, shape.size[2], shape.size[3]));
    return st_view(scope, st_take(sonic_unet_norm_video(scope, network, name, st_take(frames), epsilon)), shape);
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
