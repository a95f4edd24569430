#include "models/motion_bucket.h"

/* proj1 of (window, image): [frames, hidden]. The image's part is the same for every frame: computed once, added as
 * bias.
 */
static sonic_tensor *first_layer(sonic_scope *scope, const sonic_network *net, sonic_tensor *windows,
                                 sonic_tensor *image)
{
    sonic_tensor *weight = sonic_layer_weight(scope, net, "proj1.weight"); /* [hidden, window + embedding] */
    int64_t window = st_size(windows, 1), embedding = st_size(image, 1);
    sonic_tensor *image_weight = st_slice(scope, weight, 1, window, embedding),
                 *window_weight = st_slice(scope, weight, 1, 0, window);
    sonic_tensor *bias = st_linear(scope, st_cast_like(scope, image, weight), st_take(image_weight),
                                   sonic_layer_weight(scope, net, "proj1.bias"));
    bias = st_reshape(scope, st_take(bias), st_shape1(st_size(weight, 0)));
    return st_linear(scope, st_cast_like(scope, windows, weight), st_take(window_weight), st_take(bias));
}

sonic_tensor *sonic_motion_bucket_from_windows(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *windows,
                                               sonic_tensor *image)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_at(call, "audio2bucket.");
    int64_t expected = st_size(sonic_layer_weight(&s, &net, "proj1.weight"), 1);
    if (!s.status && (st_size(image, 0) != 1 || st_size(windows, 1) + st_size(image, 1) != expected))
        sonic_scope_fail(
            &s, sonic_fail(
                    SONIC_ERROR_SHAPE,
                    "Use an audio2bucket.pth that fits: it takes %lld values, but window and image have %lld and %lld.",
                    (long long)expected, (long long)st_size(windows, 1), (long long)st_size(image, 1)));
    sonic_tensor *x = st_silu(&s, st_take(first_layer(&s, &net, windows, image)));
    x = st_silu(&s, st_take(sonic_layer_linear(&s, &net, "proj2", st_take(x))));
    x = st_return(&s, sonic_layer_linear(&s, &net, "proj3", st_take(x)));
    sonic_layer_probe(&net, x);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

sonic_tensor *sonic_motion_bucket_run(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *states,
                                      sonic_tensor *image, int64_t frames)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *last = st_slice(&s, states, 1, st_size(states, 1) - 1, 1); /* [rows, 1, channels] */
    sonic_tensor *windows =
        sonic_audio_windows(&s, last, frames, SONIC_MOTION_BUCKET_ROWS_BEFORE, SONIC_MOTION_BUCKET_ROWS_AFTER);
    sonic_tensor *y = sonic_motion_bucket_from_windows(&s, call, windows, image);
    y = st_add_scalar(&s, st_take(st_mul_scalar(&s, st_take(y), 16)), 16);
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
