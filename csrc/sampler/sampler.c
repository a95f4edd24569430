#include "sampler/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "core/progress.h"
#include "sampler/deep_features.h"
#include "sampler/guidance.h"
#include "sampler/preview.h"
#include "sampler/readout.h"
#include "sampler/schedule.h"
#include "sampler/windows.h"

/* Calls of the network that a device has been given and has not done, at most: enough to keep it busy, and so few that
 * progress and Cancel are never two steps behind. */
enum { CALLS_AHEAD = 2 };

typedef struct job {
    sonic_operator_call *call;
    const sonic_unet *unet;
    const sonic_unet_constants *constants;
    const sonic_sampler_settings *settings;
    sonic_guidance guidance, conditional; /* of steps with guidance, and of the others */
    sonic_step_work work[SONIC_SCHEDULE_STEPS_MAX];
    sonic_deep_features deep;
    sonic_windows windows; /* of the step in progress */
    int32_t step;
    int64_t rows, columns, done, total; /* calls of the network */
    sonic_tensor *like;                 /* a weight: where the network computes */
    sonic_scope *run;                   /* as long as the loop */
    float *buckets, *pixels;            /* [frames, 2]; [4, rows, columns] */
    sonic_image preview;
    bool has_preview;
    sonic_event *queued[CALLS_AHEAD + 1]; /* the end of each call that a device has still to do, the first one first */
    int32_t queued_count;
    bool is_late;                         /* a device computes while the host goes on: readouts are a step late */
    sonic_readout readouts[2];            /* of even and of odd steps */
    int64_t order[SONIC_UNET_FRAMES_MAX]; /* the frames of the window in progress */
    float sigmas[SONIC_SCHEDULE_STEPS_MAX + 1];
} job;

/* Progress */

/* Counts the calls that the device has done. */
static void count_done(job *j)
{
    while (j->queued_count > 0 && sonic_event_is_past(j->queued[0])) {
        sonic_event_free(j->queued[0]);
        for (int32_t i = 1; i < j->queued_count; i++)
            j->queued[i - 1] = j->queued[i];
        j->queued_count--, j->done++;
    }
}

/* Waits until no more than `count` calls are queued. */
static void wait_for_calls(job *j, sonic_scope *scope, int32_t count)
{
    for (; !scope->status && j->queued_count > count; count_done(j))
        sonic_scope_fail(scope, sonic_event_wait(j->queued[0]));
}

/* A call was made whose result is `out`: on the CPU it is done, a device will do it. */
static void note_call(job *j, sonic_scope *scope, const sonic_tensor *out)
{
    sonic_event *end = j->is_late ? sonic_event_record(out) : NULL;
    if (!end) {
        j->done++;
        return;
    }
    j->queued[j->queued_count++] = end;
    wait_for_calls(j, scope, CALLS_AHEAD);
}

static void report(job *j, sonic_scope *scope)
{
    if (scope->status)
        return;
    count_done(j);
    sonic_scope_fail(scope, sonic_progress_report(j->done, j->total, j->has_preview ? &j->preview : NULL));
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

/* One window */

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

/* v + weight * out[branch], in place; a new tensor where v is NULL. out [branches, frames, 4, rows, columns] */
static sonic_tensor *add_branch(sonic_scope *scope, sonic_tensor *v, sonic_tensor *out, int32_t branch, double weight)
{
    sonic_tensor *part = st_slice(scope, out, 0, branch, 1);
    part =
        st_reshape(scope, st_take(part), st_shape4(st_size(out, 1), st_size(out, 2), st_size(out, 3), st_size(out, 4)));
    part = st_to_dtype(scope, st_take(part), SONIC_DTYPE_FLOAT32);
    return v ? st_add_scaled_in_place(scope, v, st_take(part), weight) : st_mul_scalar(scope, st_take(part), weight);
}

static const sonic_guidance *guidance_now(const job *j)
{
    return j->work[j->step].guided ? &j->guidance : &j->conditional;
}

/* One call of the network, whole or of its last layer. */
static sonic_tensor *evaluate(job *j, sonic_scope *scope, int64_t index, sonic_unet_step *step, sonic_tensor *order)
{
    const sonic_step_work *work = &j->work[j->step];
    sonic_tensor *features = NULL;
    if (work->shallow)
        step->deep = sonic_deep_window(&j->deep, scope, j->windows.window, step, order);
    step->deep_out = work->keep ? &features : NULL;
    sonic_tensor *out = scope->status ? NULL : sonic_unet_run(scope, j->unet, j->constants, step);
    st_release(step->deep);
    sonic_deep_keep(&j->deep, j->run, scope, &j->windows, index, j->order, step, features);
    st_release(features);
    return out;
}

/* The guided output of the network: float32 [window, 4, rows, columns] */
static sonic_tensor *direction(job *j, sonic_scope *outer, int64_t index, const sonic_unet_step *window,
                               sonic_tensor *order)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    const sonic_guidance *guidance = guidance_now(j);
    sonic_tensor *v = NULL;
    for (int32_t i = 0; i < guidance->call_count; i++) {
        sonic_unet_step step = *window;
        step.first_branch = guidance->calls[i].first_branch, step.branches = guidance->calls[i].branches;
        report(j, &s);
        sonic_tensor *out = evaluate(j, &s, index, &step, order);
        sonic_scope_fail(&s, j->call->scope->status); /* a layer that is not finite fails the call as a whole */
        for (int32_t b = 0; b < step.branches; b++)
            v = add_branch(&s, v, out, b, guidance->weights[step.first_branch + b]);
        note_call(j, &s, out);
        st_release(out);
    }
    v = st_return(&s, v);
    return sonic_scope_close(&s) == SONIC_OK ? v : NULL;
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

static void run_window(job *j, sonic_scope *outer, sonic_tensor *x, sonic_tensor *next, int64_t index,
                       const sonic_step *step)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_unet_step window = {0};
    for (int64_t i = 0; i < j->windows.window; i++)
        j->order[i] = sonic_windows_frame(&j->windows, index, i);
    sonic_scope_fail(&s, s.status ? s.status : window_ids(window.ids, j));
    sonic_tensor *order = st_to_device_of(&s, st_take(st_indices(&s, j->order, j->windows.window)), x);
    window.sample = st_mul_scalar(&s, st_take(st_gather(&s, x, 0, order)), step->input);
    window.frames = j->order, window.frame_count = (int32_t)j->windows.window;
    window.timestep = sonic_schedule_timestep(j->sigmas[j->step]);
    sonic_tensor *v = direction(j, &s, index, &window, order);
    sonic_operator_probe(j->call, v, "direction.%d.%d", (int)j->step, (int)index);
    add_window(j, &s, next, v, index, step->move);
    sonic_scope_close(&s);
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
        check_latents(j, scope, j->step, st_is_finite(scope, next));
        draw_preview_now(j, scope, x, next, stay);
        return;
    }
    sonic_readout_start(&j->readouts[j->step & 1], run, next, preview_frame(j, run, x, next, stay), j->step);
    finish_readout(j, run, &j->readouts[(j->step + 1) & 1]);
    sonic_scope_fail(scope, run->status);
}

/* One step of all windows. x is released. */
static sonic_tensor *run_step(job *j, sonic_scope *outer, sonic_tensor *x)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_step step = sonic_schedule_step(j->sigmas[j->step], j->sigmas[j->step + 1]);
    j->windows.offset = j->settings->shift * j->step;
    sonic_tensor *next = st_mul_scalar(&s, x, step.keep);
    for (int64_t i = 0, count = sonic_windows_count(&j->windows); i < count && !s.status; i++)
        run_window(j, &s, x, next, i, &step);
    read_out(j, outer, &s, x, next, step.stay);
    sonic_operator_probe(j->call, next, "latents.%d", (int)j->step);
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
    while (!scope->status && j->queued_count > 1) {
        wait_for_calls(j, scope, j->queued_count - 1);
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
    for (int32_t i = 0; i < j->queued_count; i++)
        sonic_event_free(j->queued[i]);
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
    for (j->step = 0; j->step < j->settings->steps && !s.status; j->step++)
        x = run_step(j, &s, x);
    finish_queued(j, &s);
    report(j, &s);
    x = st_to_device_of(&s, st_take(st_mul_scalar(&s, st_take(x), 1.0 / SONIC_LATENT_SCALE)), in->noise);
    x = st_return(&s, x);
    drop_queued(j);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

/* Checks */

/* False for NaN */
static bool in_range(double value, double low, double high) { return value >= low && value <= high; }

static sonic_status check_settings(const sonic_sampler_settings *s)
{
    const double scales[] = {s->dynamic_scale, s->motion_scale, s->appearance_guidance, s->audio_guidance};
    if (s->window < 1 || s->window > SONIC_UNET_FRAMES_MAX || s->shift < 0 || s->shift > SONIC_UNET_FRAMES_MAX)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose windows of 1 to %d frames that move by 0 to %d: got %lld and %lld.",
                          SONIC_UNET_FRAMES_MAX, SONIC_UNET_FRAMES_MAX, (long long)s->window, (long long)s->shift);
    if (s->branches_at_once < 1 || s->branches_at_once > SONIC_GUIDANCE_BRANCHES)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose 1 to %d branches at once: got %d.", SONIC_GUIDANCE_BRANCHES,
                          (int)s->branches_at_once);
    sonic_status status = sonic_shortcuts_check(&s->shortcuts, SONIC_SCHEDULE_STEPS_MAX);
    if (status)
        return status;
    if (!in_range(s->frame_rate_id, 0, SONIC_SAMPLER_FRAME_RATE_ID_MAX))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a frame rate id from 0 to %d: it is %g.",
                          SONIC_SAMPLER_FRAME_RATE_ID_MAX, s->frame_rate_id);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (!in_range(scales[i], -SONIC_SAMPLER_SCALE_MAX, SONIC_SAMPLER_SCALE_MAX))
            return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose scales and guidance up to %d: one is %g.",
                              SONIC_SAMPLER_SCALE_MAX, scales[i]);
    return SONIC_OK;
}

static sonic_status check_inputs(const sonic_sampler_inputs *in)
{
    sonic_shape noise = st_shape(in->noise), image = st_shape(in->image_latents), buckets = st_shape(in->buckets);
    if (noise.dims != 4 || noise.size[1] != SONIC_LATENT_CHANNELS || noise.size[0] < 1 ||
        noise.size[0] > SONIC_SAMPLER_FRAMES_MAX || st_dtype(in->noise) != SONIC_DTYPE_FLOAT32)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Give the noise as float32 [frames, 4, rows, columns] with 1 to %d frames.",
                          SONIC_SAMPLER_FRAMES_MAX);
    if (image.dims != 4 || image.size[0] != 1 || image.size[1] != SONIC_LATENT_CHANNELS ||
        image.size[2] != noise.size[2] || image.size[3] != noise.size[3])
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Give the portrait's latents as [1, 4, %lld, %lld], the size of the noise.",
                          (long long)noise.size[2], (long long)noise.size[3]);
    if (buckets.dims != 2 || buckets.size[0] != noise.size[0] || buckets.size[1] != 2)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Give the motion buckets as [%lld, 2], one row for each frame of the noise.",
                          (long long)noise.size[0]);
    return SONIC_OK;
}

/* Whether the network was prepared for this clip: `layout` is [branches, 4] (unet_types.h). libtorch checks the others.
 */
static sonic_status check_constants(const sonic_unet_constants *c, int64_t frames)
{
    const int64_t *layout = st_data(c->layout);
    if (!layout || st_dtype(c->layout) != SONIC_DTYPE_INT64 || st_size(c->layout, 0) != SONIC_GUIDANCE_BRANCHES ||
        st_size(c->layout, 1) != 4 || !c->latents)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Give the constants that unet_prepare made for %d branches with image latents.",
                          SONIC_GUIDANCE_BRANCHES);
    for (int32_t i = 0; i < SONIC_GUIDANCE_BRANCHES; i++)
        for (int32_t rows = 1; rows < 4; rows += 2)
            if (layout[i * 4 + rows] != 1 && layout[i * 4 + rows] != frames)
                return sonic_fail(SONIC_ERROR_SHAPE,
                                  "Give noise for the %lld frames that the network was prepared for: there are %lld.",
                                  (long long)layout[i * 4 + rows], (long long)frames);
    return SONIC_OK;
}

static sonic_status prepare(job *j, const sonic_sampler_inputs *in)
{
    sonic_status status = check_settings(j->settings);
    if (!status)
        status = sonic_schedule_karras(j->sigmas, j->settings->steps);
    if (!status)
        status = check_inputs(in);
    if (!status)
        status = check_constants(j->constants, st_size(in->noise, 0));
    if (status)
        return status;
    j->windows = (sonic_windows){st_size(in->noise, 0), j->settings->window, 0};
    j->guidance = sonic_guidance_plan(j->settings->appearance_guidance, j->settings->audio_guidance,
                                      j->settings->branches_at_once);
    j->conditional = sonic_guidance_plan(1.0, 1.0, 1);
    sonic_shortcuts_plan(j->work, j->sigmas, j->settings->steps, &j->settings->shortcuts);
    for (j->step = 0; j->step < j->settings->steps; j->step++)
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

sonic_tensor *sonic_sampler_run(sonic_scope *outer, sonic_operator_call *call, const sonic_unet *unet,
                                const sonic_unet_constants *constants, const sonic_sampler_inputs *inputs,
                                const sonic_sampler_settings *settings)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    job *j = s.status ? NULL : calloc(1, sizeof *j);
    sonic_tensor *x = NULL;
    if (j) {
        j->call = call, j->unet = unet, j->constants = constants, j->settings = settings;
        j->like = sonic_weights_get(&s, call->weights, "conv_in.weight");
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
