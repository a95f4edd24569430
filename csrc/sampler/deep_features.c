#include "sampler/deep_features.h"

#include "torch/device.h"

/* Places `count` frames of one branch, from `place` of the window on, at `frame` of the clip. */
static void keep_run(sonic_scope *scope, sonic_tensor *all, sonic_tensor *features, int32_t branch, int64_t place,
                     int64_t frame, int64_t count)
{
    sonic_tensor *part = st_slice(scope, st_take(st_slice(scope, features, 0, branch, 1)), 1, place, count);
    part = st_view(scope, st_take(part), st_shape3(count, st_size(features, 2), st_size(features, 3)));
    sonic_tensor *target = st_slice(scope, all, 0, frame, count);
    st_copy_in_place(scope, target, st_take(part));
    st_release(target);
}

static void make(sonic_deep_features *deep, sonic_scope *run, int64_t frames, const sonic_unet_step *step,
                 const sonic_tensor *features)
{
    sonic_shape shape = st_shape3(frames, st_size(features, 2), st_size(features, 3));
    for (int32_t b = step->first_branch; b < step->first_branch + step->branches; b++)
        if (!deep->branch[b])
            deep->branch[b] = st_empty(run, shape, st_dtype(features), features);
}

void sonic_deep_keep(sonic_deep_features *deep, sonic_scope *run, sonic_scope *scope, const sonic_windows *windows,
                     int64_t index, const int64_t *order, const sonic_unet_step *step, sonic_tensor *features)
{
    if (scope->status || !features)
        return;
    make(deep, run, windows->frames, step, features);
    sonic_scope_fail(scope, run->status);
    for (int32_t b = 0; b < step->branches; b++)
        for (int64_t place = 0; place < windows->window && !scope->status;) {
            int64_t count = sonic_windows_run_length(windows, index, place);
            keep_run(scope, deep->branch[step->first_branch + b], features, b, place, order[place], count);
            place += count;
        }
}

sonic_tensor *sonic_deep_window(const sonic_deep_features *deep, sonic_scope *scope, int64_t window,
                                const sonic_unet_step *step, sonic_tensor *order)
{
    sonic_tensor *parts[SONIC_GUIDANCE_BRANCHES];
    for (int32_t b = 0; b < step->branches; b++) {
        sonic_tensor *all = deep->branch[step->first_branch + b], *part = st_gather(scope, all, 0, order);
        sonic_shape shape = st_shape4(1, window, st_size(all, 1), st_size(all, 2));
        parts[b] = st_take(st_view(scope, st_take(part), shape));
    }
    return st_cat(scope, parts, step->branches, 0);
}
