#include "models/audio_tokens.h"

#include <stdlib.h>

/* `before` and `after` rows of zeros around states [rows, ...] -> [before + rows + after, values a row] */
static sonic_tensor *pad_rows(sonic_scope *scope, sonic_tensor *states, int64_t before, int64_t after)
{
    const int64_t sides[4] = {0, 0, before, after};
    sonic_tensor *rows = st_reshape(scope, states, st_shape2(st_size(states, 0), -1));
    return st_pad(scope, st_take(rows), sides, 4);
}

/* Row indices of all windows, one window after another. */
static sonic_tensor *window_rows(sonic_scope *scope, int64_t frames, int64_t length)
{
    int64_t *rows = malloc((size_t)(frames * length) * sizeof *rows);
    if (!rows) {
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_MEMORY,
                                           "Choose a shorter recording: no memory for the windows of %lld frames.",
                                           (long long)frames));
        return NULL;
    }
    for (int64_t i = 0; i < frames * length; i++)
        rows[i] = i / length * SONIC_AUDIO_ROWS_PER_FRAME + i % length;
    sonic_tensor *x = st_indices(scope, rows, frames * length);
    free(rows);
    return x;
}

static void check_states(sonic_scope *scope, sonic_tensor *states, int64_t frames)
{
    enum { FRAMES_MAX = 1 << 20 };
    if (scope->status)
        return;
    if (frames < 1 || frames > FRAMES_MAX || st_count(states) < 1)
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_ARGUMENT,
                                           "Choose a recording of at least 0.08 seconds: it has %lld frames.",
                                           (long long)frames));
    else if (st_size(states, 0) < frames * SONIC_AUDIO_ROWS_PER_FRAME)
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_SHAPE,
                                           "Ask for at most %lld frames: the audio has %lld rows, 4 a frame.",
                                           (long long)st_size(states, 0) / SONIC_AUDIO_ROWS_PER_FRAME,
                                           (long long)st_size(states, 0)));
}

sonic_tensor *sonic_audio_windows(sonic_scope *outer, sonic_tensor *states, int64_t frames, int64_t before,
                                  int64_t after)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    check_states(&s, states, frames);
    sonic_tensor *windows = NULL;
    if (!s.status) {
        sonic_tensor *rows = pad_rows(&s, states, before, after);
        sonic_tensor *indices = st_to_device_of(&s, window_rows(&s, frames, before + after), rows);
        windows = st_reshape(&s, st_take(st_gather(&s, st_take(rows), 0, st_take(indices))), st_shape2(frames, -1));
    }
    windows = st_return(&s, windows);
    return sonic_scope_close(&s) == SONIC_OK ? windows : NULL;
}

sonic_tensor *sonic_audio_tokens_from_windows(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *windows)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_at(call, "audio2token.");
    int64_t dim = st_size(sonic_layer_weight(&s, &net, "norm.weight"), 0);
    sonic_tensor *x = st_cast_like(&s, windows, sonic_layer_weight(&s, &net, "proj1.weight"));
    x = st_relu(&s, st_take(sonic_layer_linear(&s, &net, "proj1", st_take(x))));
    x = st_relu(&s, st_take(sonic_layer_linear(&s, &net, "proj2", st_take(x))));
    x = sonic_layer_linear(&s, &net, "proj3", st_take(x)); /* [frames, tokens * dim] */
    x = st_reshape(&s, st_take(x), st_shape3(st_size(windows, 0), -1, dim));
    x = st_return(&s, sonic_layer_norm(&s, &net, "norm", st_take(x)));
    sonic_layer_probe(&net, x);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

sonic_tensor *sonic_audio_tokens_run(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *states,
                                     int64_t frames)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *windows =
        sonic_audio_windows(&s, states, frames, SONIC_AUDIO_TOKEN_ROWS_BEFORE, SONIC_AUDIO_TOKEN_ROWS_AFTER);
    sonic_tensor *tokens = st_return(&s, sonic_audio_tokens_from_windows(&s, call, windows));
    return sonic_scope_close(&s) == SONIC_OK ? tokens : NULL;
}

sonic_tensor *sonic_audio_tokens_unconditional(sonic_scope *outer, sonic_operator_call *call)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *weight = sonic_weights_get(&s, call->weights, "audio2token.proj1.weight");
    sonic_tensor *silence = st_cast_like(&s, st_zeros(&s, st_shape2(1, st_size(weight, 1))), weight);
    sonic_tensor *tokens = sonic_audio_tokens_from_windows(&s, call, silence);
    tokens = st_return(&s, st_reshape(&s, tokens, st_shape2(st_size(tokens, 1), st_size(tokens, 2))));
    return sonic_scope_close(&s) == SONIC_OK ? tokens : NULL;
}
