#include "sampler/sampler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/progress.h"
#include "sampler/calls.h"
#include "sampler/deep_features.h"
#include "sampler/preview.h"
#include "sampler/readout.h"
#include "sampler/sampler_check.h"
#include "sampler/schedule.h"
#include "sampler/sharing.h"
#include "sampler/windows.h"

/* Of one branch, for sharing.h: all of the network takes about five times as long as its last layer
 * (bench/shortcuts.py). */
enum { SHALLOW_WORK = 1, WHOLE_WORK = 5 };

/* One call of the network: some branches of one window. */
typedef struct task {
    int64_t window;
    sonic_guidance_call branches;
    int32_t device;
    bool is_last;                 /* of its window */
    sonic_tensor *sample, *deep;  /* on its device; deep: or NULL */
    sonic_tensor *out, *features; /* features: or NULL */
} task;

typedef struct job {
    sonic_operator_call *call;
    const sonic_sampler_device *devices;
    const sonic_sampler_settings *settings;
    sonic_guidance guidance, conditional; /* of steps with guidance, and of the others */
    sonic_step_work work[SONIC_SCHEDULE_STEPS_MAX];
    sonic_sharing sharing;
    sonic_deep_features deep;
    sonic_windows windows; /* of the step in progress */
    sonic_step step;       /* the same */
    int32_t step_index;
    int64_t rows, columns, total; /* total: calls of the network */
    sonic_tensor *like;           /* a weight on the first device */
    sonic_scope *run;             /* as long as the loop */
    float *buckets, *pixels;      /* [frames, 2]; [4, rows, columns] */
    sonic_image preview;
    bool has_preview;
    sonic_calls calls;
    bool is_late;                         /* a device computes while the host goes on: readouts are a step late */
    bool names_device;                    /* the failure's text already does */
    sonic_readout readouts[2];            /* of even and of odd steps */
    task tasks[SONIC_DEVICES_MAX];        /* of the group in progress */
    sonic_tensor *sample, *direction;     /* of the last window that was sent, and of the one that is collected */
    int64_t order[SONIC_UNET_FRAMES_MAX]; /* the frames of the window in progress */
    float sigmas[SONIC_SCHEDULE_STEPS_MAX + 1];
} job;

/* Failures and progress */

/* Adds to a failure's text which of several devices it happened on. */
static void name_device(job *j, sonic_scope *scope, int32_t device)
{
    char text[1024];
    if (j->sharing.devices < 2 || j->names_device || !scope->status || scope->status == SONIC_ERROR_CANCELLED ||
        scope->status == SONIC_ERROR_FORMAT)
        return;
    snprintf(text, sizeof text, "%s", sonic_last_error());
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '.')
        text[length - 1] = 0;
    sonic_fail(scope->status, "%s (on device %d).", text, (int)st_device(j->devices[device].like).index);
    j->names_device = true;
}

/* Waits until no more than `count` calls are queued. */
static void wait_for_calls(job *j, sonic_scope *scope, int32_t count)
{
    if (scope->status || !sonic_scope_fail(scope, sonic_calls_wait(&j->calls, count)))
        return;
    name_device(j, scope, j->calls.failed);
}

/* A call was made whose result is `out`: on the CPU it is done, a device will do it. */
static void note_call(job *j, sonic_scope *scope, const sonic_tensor *out, int32_t device)
{
    if (scope->status)
        return;
    sonic_event *end = j->is_late ? sonic_event_record(out) : NULL;
    if (sonic_scope_fail(scope, sonic_calls_add(&j->calls, end, device)))
        name_device(j, scope, j->calls.failed);
}

static void report(job *j, sonic_scope *scope)
{
    if (scope->status)
        return;
    sonic_calls_count_done(&j->calls);
    sonic_scope_fail(scope, sonic_progress_report(j->calls.done, j->total, j->has_preview ? &j->preview : NULL));
    j->has_preview = false;
}

static int64_t pixel_count(const job *j) { return SONIC_LATENT_CHANNELS * j->rows * j->columns; }

/* The middle frame, denoised: (next - stay x) / (1 - stay). NULL where no preview is wanted. */
static sonic_tensor *preview_frame(const job *j, sonic_scope *scope, sonic_tensor *x, sonic_tensor *next, double stay)
{
    const sonic_progress *progress = sonic_progress_current();
    if (!progress || !progress->wants_preview || scope->status || !st_has_values(scope, next))
        return NULL;
    int64_t middle = j->windows.frames / 2;
    sonic_tensor *clean = st_add_scaled(scope, st_take(st_slice(scope, next, 0, middle, 1)),
                                        st_take(st_slice(scope, x, 0, middle, 1)), -stay);
    return st_mul_scalar(scope, st_take(clean), 1.0 / (1.0 - stay));
}

static void draw_preview(job *j)
{
    sonic_preview_draw(j->preview.data, j->pixels, j->rows, j->columns);
    j->has_preview = true;
}

static void draw_preview_now(job *j, sonic_scope *outer, sonic_tensor *x, sonic_tensor *next, double stay)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *frame = preview_frame(j, &s, x, next, stay);
    bool is_read = frame && st_to_host(&s, j->pixels, pixel_count(j), frame) == SONIC_OK;
    if (sonic_scope_close(&s) == SONIC_OK && is_read)
        draw_preview(j);
}

/* One call of the network, on the device that computes it */

static void set_order(job *j, int64_t window)
{
    for (int64_t i = 0; i < j->windows.window; i++)
        j->order[i] = sonic_windows_frame(&j->windows, window, i);
}

/* Frame rate id, and the scaled mean of the motion buckets over the window's frames. */
static sonic_status window_ids(double ids[SONIC_UNET_IDS], const job *j)
{
    double sums[2] = {0, 0}, count = (double)j->windows.window;
    for (int64_t i = 0; i < j->windows.window; i++)
        for (int32_t k = 0; k < 2; k++)
            sums[k] += j->buckets[j->order[i] * 2 + k];
    ids[0] = j->settings->frame_rate_id;
    ids[1] = sums[0] / count * j->settings->dynamic_scale;
    ids[2] = sums[1] / count * j->settings->dynamic_scale * j->settings->motion_scale;
    if (!isfinite(ids[1]) || !isfinite(ids[2]))
        return sonic_fail(SONIC_ERROR_FORMAT,
                          "Use another recording or weight file: the motion buckets are not finite (%g, %g).", ids[1],
                          ids[2]);
    return SONIC_OK;
}

static const sonic_guidance *guidance_now(const job *j)
{
    return j->work[j->step_index].guided ? &j->guidance : &j->conditional;
}

/* Call `index` of the step, and the device that computes it. */
static task task_of(job *j, int64_t index)
{
    const sonic_guidance *guidance = guidance_now(j);
    int32_t call = (int32_t)(index % guidance->call_count);
    task t = {0};
    t.window = index / guidance->call_count, t.branches = guidance->calls[call];
    t.is_last = call + 1 == guidance->call_count;
    int32_t work = j->work[j->step_index].shallow ? SHALLOW_WORK : WHOLE_WORK;
    t.device = sonic_sharing_choose(&j->sharing, (int64_t)work * t.branches.branches);
    return t;
}

/* The call's arguments, without its tensors. The frames are those of set_order. */
static sonic_unet_step arguments_of(const job *j, const task *t)
{
    sonic_unet_step step = {0};
    step.first_branch = t->branches.first_branch, step.branches = t->branches.branches;
    step.frames = j->order, step.frame_count = (int32_t)j->windows.window;
    step.timestep = sonic_schedule_timestep(j->sigmas[j->step_index]);
    return step;
}

/* x on the task's device; on the first device x itself. x is released if it is another. */
static sonic_tensor *sent(job *j, sonic_scope *scope, const task *t, sonic_tensor *x)
{
    if (t->device == 0 || scope->status)
        return x;
    sonic_tensor *there = st_to_device_of(scope, st_take(x), j->devices[t->device].like);
    name_device(j, scope, t->device);
    return there;
}

/* Sends the window's sample to the device, and the deep features that the call takes. All are sent before the first
 * device gets a call of its own, which they would otherwise wait for. */
static void send(job *j, sonic_scope *scope, task *t, sonic_tensor *x)
{
    bool is_first = t->branches.first_branch == guidance_now(j)->calls[0].first_branch;
    bool shallow = j->work[j->step_index].shallow;
    set_order(j, t->window);
    sonic_tensor *order =
        is_first || shallow ? st_to_device_of(scope, st_take(st_indices(scope, j->order, j->windows.window)), x) : NULL;
    if (is_first) {
        st_release(j->sample);
        j->sample = st_mul_scalar(scope, st_take(st_gather(scope, x, 0, order)), j->step.input);
    }
    t->sample = sent(j, scope, t, st_view(scope, j->sample, st_shape(j->sample)));
    if (shallow) {
        sonic_unet_step step = arguments_of(j, t);
        t->deep = sent(j, scope, t, sonic_deep_window(&j->deep, scope, j->windows.window, &step, order));
    }
    st_release(order);
}

static void compute(job *j, sonic_scope *outer, task *t)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    const sonic_sampler_device *device = &j->devices[t->device];
    set_order(j, t->window);
    sonic_unet_step step = arguments_of(j, t);
    step.sample = t->sample, step.deep = t->deep;
    step.deep_out = j->work[j->step_index].keep ? &t->features : NULL;
    sonic_scope_fail(&s, s.status ? s.status : window_ids(step.ids, j));
    report(j, &s);
    if (!s.status) {
        t->out = st_return(&s, sonic_unet_run(&s, device->unet, device->constants, &step));
        t->features = st_return(&s, t->features);
        name_device(j, &s, t->device);
    }
    sonic_scope_fail(&s, j->call->scope->status); /* a layer that is not finite fails the call as a whole */
    note_call(j, &s, t->out, t->device);
    st_release(t->sample);
    st_release(t->deep);
    sonic_scope_close(&s);
}

/* What a call has made, on the first device */

/* x of the task's device on the first one. x is released if it is another. */
static sonic_tensor *brought(job *j, sonic_scope *scope, const task *t, sonic_tensor *x)
{
    if (t->device == 0 || !x || scope->status)
        return x;
    sonic_tensor *here = st_to_device_of(scope, st_take(x), j->like);
    name_device(j, scope, t->device);
    return here;
}

/* v + weight * out[branch], in place; a new tensor where v is NULL. out [branches, frames, 4, rows, columns] */
static sonic_tensor *add_branch(sonic_scope *scope, sonic_tensor *v, sonic_tensor *out, int32_t branch, double weight)
{
    sonic_tensor *part = st_slice(scope, out, 0, branch, 1);
    part =
        st_reshape(scope, st_take(part), st_shape4(st_size(out, 1), st_size(out, 2), st_size(out, 3), st_size(out, 4)));
    part = st_to_dtype(scope, st_take(part), SONIC_DTYPE_FLOAT32);
    return v ? st_add_scaled_in_place(scope, v, st_take(part), weight) : st_mul_scalar(scope, st_take(part), weight);
}

/* next += move v, divided by how often the frame occurs */
static void add_window(job *j, sonic_scope *scope, sonic_tensor *next, sonic_tensor *v, int64_t index, double move)
{
    const sonic_windows *w = &j->windows;
    for (int64_t place = 0; place < w->window && !scope->status;) {
        int64_t frame = j->order[place], run = sonic_windows_run_length(w, index, place);
        sonic_tensor *target = st_slice(scope, next, 0, frame, run);
        st_add_scaled_in_place(scope, target, st_take(st_slice(scope, v, 0, place, run)),
                               move / (double)sonic_windows_occurrences(w, frame));
        st_release(target);
        place += run;
    }
}

/* Adds a call's result to the guided output of its window, float32 [window, 4, rows, columns], and that to `next` when
 * it is complete. */
static void collect(job *j, sonic_scope *scope, task *t, sonic_tensor *next)
{
    set_order(j, t->window);
    sonic_unet_step step = arguments_of(j, t);
    sonic_tensor *features = brought(j, scope, t, t->features), *out = brought(j, scope, t, t->out);
    sonic_deep_keep(&j->deep, j->run, scope, &j->windows, t->window, j->order, &step, features);
    st_release(features);
    for (int32_t b = 0; b < step.branches; b++)
        j->direction = add_branch(scope, j->direction, out, b, guidance_now(j)->weights[step.first_branch + b]);
    st_release(out);
    if (!t->is_last)
        return;
    sonic_operator_probe(j->call, j->direction, "direction.%d.%d", (int)j->step_index, (int)t->window);
    add_window(j, scope, next, j->direction, t->window, j->step.move);
    st_release(j->direction);
    j->direction = NULL;
}

/* The loop */

static void check_latents(const job *j, sonic_scope *scope, int32_t step, bool is_finite)
{
    if (!scope->status && !is_finite)
        sonic_scope_fail(
            scope,
            sonic_fail(
                SONIC_ERROR_FORMAT,
                "Choose precision fp32 or bf16, or other weight files: after step %d of %d the latents are not finite.",
                (int)step + 1, (int)j->settings->steps));
}

/* What was queued of an earlier step. */
static void finish_readout(job *j, sonic_scope *scope, sonic_readout *readout)
{
    bool is_finite, draws = readout->has_frame;
    int32_t step = readout->step;
    if (scope->status || !readout->is_queued)
        return;
    sonic_scope_fail(scope, sonic_readout_finish(readout, &is_finite, j->pixels, pixel_count(j)));
    check_latents(j, scope, step, is_finite);
    if (!scope->status && draws)
        draw_preview(j);
}

/* Checks a step's latents and draws its preview: at once, or on a device those of the step before. `run` outlives the
 * step. */
static void read_out(job *j, sonic_scope *run, sonic_scope *scope, sonic_tensor *x, sonic_tensor *next, double stay)
{
    if (scope->status)
        return;
    if (!j->is_late) {
        check_latents(j, scope, j->step_index, st_is_finite(scope, next));
        draw_preview_now(j, scope, x, next, stay);
        return;
    }
    sonic_readout_start(&j->readouts[j->step_index & 1], run, next, preview_frame(j, run, x, next, stay),
                        j->step_index);
    finish_readout(j, run, &j->readouts[(j->step_index + 1) & 1]);
    sonic_scope_fail(scope, run->status);
}

/* The calls of the step, a group of one for each device at a time. */
static void run_calls(job *j, sonic_scope *scope, sonic_tensor *x, sonic_tensor *next)
{
    int64_t count = sonic_windows_count(&j->windows) * guidance_now(j)->call_count;
    for (int64_t first = 0; first < count && !scope->status; first += j->sharing.devices) {
        int32_t group = (int32_t)(count - first < j->sharing.devices ? count - first : j->sharing.devices);
        sonic_sharing_begin_group(&j->sharing);
        for (int32_t i = 0; i < group; i++) {
            j->tasks[i] = task_of(j, first + i);
            send(j, scope, &j->tasks[i], x);
        }
        for (int32_t i = 0; i < group && !scope->status; i++)
            compute(j, scope, &j->tasks[i]);
        for (int32_t i = 0; i < group && !scope->status; i++)
            collect(j, scope, &j->tasks[i], next);
    }
}

/* One step of all windows. x is released. */
static sonic_tensor *run_step(job *j, sonic_scope *outer, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    j->step = sonic_schedule_step(j->sigmas[j->step_index], j->sigmas[j->step_index + 1]);
    j->windows.offset = j->settings->shift * j->step_index;
    j->sample = j->direction = NULL;
    sonic_tensor *next = st_mul_scalar(&s, x, j->step.keep);
    run_calls(j, &s, x, next);
    name_device(j, &s, 0); /* where all else is done */
    st_release(j->sample);
    read_out(j, outer, &s, x, next, j->step.stay);
    sonic_operator_probe(j->call, next, "latents.%d", (int)j->step_index);
    st_release(x);
    next = st_return(&s, next);
    return sonic_scope_close(&s) == SONIC_OK ? next : NULL;
}

/* The portrait's latents in every frame, plus noise of the first level. */
static sonic_tensor *initial_latents(job *j, sonic_scope *outer, const sonic_sampler_inputs *in)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *image =
        st_to_device_of(&s, st_take(st_to_dtype(&s, in->image_latents, SONIC_DTYPE_FLOAT32)), j->like);
    sonic_tensor *noise = st_to_device_of(&s, in->noise, j->like);
    sonic_tensor *x =
        st_add_scaled(&s, st_take(st_mul_scalar(&s, st_take(image), SONIC_LATENT_SCALE)), st_take(noise), j->sigmas[0]);
    if (!s.status && !st_is_finite(&s, x) && !s.status)
        sonic_scope_fail(&s,
                         sonic_fail(SONIC_ERROR_FORMAT,
                                    "Choose precision fp32 or bf16, or another portrait: its latents are not finite."));
    x = st_return(&s, x);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

static bool has_events(const sonic_scope *scope, const sonic_tensor *x)
{
    sonic_event *event = scope->status || !st_has_values(scope, x) ? NULL : sonic_event_record(x);
    sonic_event_free(event);
    return event != NULL;
}

/* What a device has still to do after the last step was queued. */
static void finish_queued(job *j, sonic_scope *scope)
{
    while (!scope->status && j->calls.count > 1) {
        wait_for_calls(j, scope, j->calls.count - 1);
        report(j, scope);
    }
    if (j->is_late && j->has_preview)
        report(j, scope);
    for (int32_t i = 0; i < 2; i++)
        finish_readout(j, scope, &j->readouts[i]); /* one of them is queued at most */
    wait_for_calls(j, scope, 0);
}

/* What a run that failed has left. */
static void drop_queued(job *j)
{
    sonic_calls_drop(&j->calls);
    for (int32_t i = 0; i < 2; i++)
        sonic_readout_drop(&j->readouts[i]);
}

static sonic_tensor *run(job *j, sonic_scope *outer, const sonic_sampler_inputs *in)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    st_to_host(&s, j->buckets, j->windows.frames * 2, in->buckets);
    sonic_tensor *x = initial_latents(j, &s, in);
    j->run = &s;
    j->is_late = has_events(&s, x);
    for (j->step_index = 0; j->step_index < j->settings->steps && !s.status; j->step_index++)
        x = run_step(j, &s, x);
    finish_queued(j, &s);
    report(j, &s);
    x = st_to_device_of(&s, st_take(st_mul_scalar(&s, st_take(x), 1.0 / SONIC_LATENT_SCALE)), in->noise);
    x = st_return(&s, x);
    drop_queued(j);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

static sonic_status prepare(job *j, const sonic_sampler_inputs *in)
{
    sonic_status status = sonic_sampler_check(j->settings, in, j->devices, j->sharing.devices);
    if (!status)
        status = sonic_schedule_karras(j->sigmas, j->settings->steps);
    if (status)
        return status;
    j->windows = (sonic_windows){st_size(in->noise, 0), j->settings->window, 0};
    j->guidance = sonic_guidance_plan(j->settings->appearance_guidance, j->settings->audio_guidance,
                                      j->settings->branches_at_once);
    j->conditional = sonic_guidance_plan(1.0, 1.0, 1);
    sonic_shortcuts_plan(j->work, j->sigmas, j->settings->steps, &j->settings->shortcuts);
    for (j->step_index = 0; j->step_index < j->settings->steps; j->step_index++)
        j->total += sonic_windows_count(&j->windows) * guidance_now(j)->call_count;
    j->rows = st_size(in->noise, 2), j->columns = st_size(in->noise, 3);
    j->buckets = calloc((size_t)j->windows.frames * 2, sizeof *j->buckets);
    j->pixels = calloc((size_t)(j->rows * j->columns) * SONIC_LATENT_CHANNELS, sizeof *j->pixels);
    j->preview = (sonic_image){calloc((size_t)(j->rows * j->columns), 3), (int32_t)j->columns, (int32_t)j->rows, 3,
                               (ptrdiff_t)j->columns * 3};
    return j->buckets && j->pixels && j->preview.data
               ? SONIC_OK
               : sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to sample %lld frames.",
                            (long long)j->windows.frames);
}

sonic_tensor *sonic_sampler_run(sonic_scope *outer, sonic_operator_call *call, const sonic_sampler_device *devices,
                                int32_t device_count, const sonic_sampler_inputs *inputs,
                                const sonic_sampler_settings *settings)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    job *j = s.status ? NULL : calloc(1, sizeof *j);
    sonic_tensor *x = NULL;
    if (j) {
        j->call = call, j->devices = devices, j->settings = settings, j->like = devices[0].like;
        j->sharing.devices = j->calls.devices = device_count;
        if (!sonic_scope_fail(&s, s.status ? s.status : prepare(j, inputs)))
            x = st_return(&s, run(j, &s, inputs));
        free(j->buckets);
        free(j->pixels);
        free(j->preview.data);
    } else
        sonic_scope_fail(&s, sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to sample."));
    free(j);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}
