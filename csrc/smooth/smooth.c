#include "smooth/smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/parallel.h"
#include "smooth/face_mask.h"
#include "smooth/motion.h"
#include "smooth/noise.h"
#include "smooth/path.h"
#include "smooth/translate.h"

enum { AHEAD_MAX = 20, AHEAD_MIN = 4, PAST = 40, TILES = SONIC_TILES * SONIC_TILES, ROWS_AT_ONCE = 16 };
enum { SLOTS_MAX = AHEAD_MAX + 1, STEPS = 128, SIDE_MAX_PX = 8192, SIDE_MIN_PX = 64 };
static const int64_t ring_bytes = 256 << 20;

/* From which measured fault on it is mended, and from which on fully: far above what clean recordings show, below what
 * is seen. */
static const double shake_px[2] = {0.18, 0.28}, flicker_gain[2] = {0.003, 0.006}, noise_levels[2] = {1.0, 1.5};
static const double tile_gain[2] = {0.005, 0.009};
/* Shake that is taken for a fault: white in both directions and beside the camera's own movement (hands are slow, or
 * shake one way), or beside certain flicker what is even along its axis, and no larger than this if the other axis is
 * not; noise alone has to be this strong. Chosen on 70 recordings, in none of which it is found. */
static const double certain_px[2] = {0.2, 0.3}, certain_evenness[2] = {0.72, 0.82}, certain_gain[2] = {0.006, 0.01};
static const double beside_movement_px[2] = {0.65, 0.8}, noise_alone[2] = {1.4, 1.8};
static const double error_max_px = 0.1, error_max_gain = 0.004;

struct sonic_smooth {
    sonic_arena *arena;
    int32_t width, height, ahead, ended, idle;
    double amount, least, loss; /* of the corrections; of a new frame; of the face's detail */
    int64_t pushed, pulled;
    uint8_t *frames, *masks; /* [ahead + 1, height, width, 3] and [ahead + 1, height, width] */
    sonic_planes planes[2];
    float *trust, *scratch, *raw, *moved, *before;
    sonic_step steps[STEPS]; /* of frame i, at i % STEPS */
    int64_t scene;           /* first frame of the scene that the next pulled frame is in */
    sonic_noise_filter noise;
    double sigma;
    /* Noise measurements of the scene; whether memory and `before` hold a frame of it */
    int32_t measured, remembers, compares;
    sonic_smooth_report report;
};

static size_t frame_bytes(const sonic_smooth *s) { return (size_t)s->width * s->height * 3; }

static size_t arena_bytes(const sonic_smooth *s, size_t plane_floats, size_t scratch_floats, size_t blocks)
{
    const size_t slots = (size_t)s->ahead + 1, picture = sonic_arena_piece(frame_bytes(s) * sizeof(float));
    return sonic_arena_piece(slots * frame_bytes(s)) + sonic_arena_piece(slots * frame_bytes(s) / 3) +
           2 * sonic_arena_piece(plane_floats * sizeof(float)) + sonic_arena_piece(scratch_floats * sizeof(float)) +
           sonic_arena_piece(blocks * sizeof(float)) + 6 * picture;
}

static void take_pieces(sonic_smooth *s, size_t plane_floats, size_t scratch_floats, size_t blocks)
{
    const size_t slots = (size_t)s->ahead + 1, picture = frame_bytes(s) * sizeof(float);
    s->frames = sonic_arena_take(s->arena, slots * frame_bytes(s));
    s->masks = sonic_arena_take(s->arena, slots * frame_bytes(s) / 3);
    for (int i = 0; i < 2; i++)
        sonic_planes_place(&s->planes[i], sonic_arena_take(s->arena, plane_floats * sizeof(float)));
    s->trust = sonic_arena_take(s->arena, blocks * sizeof(float));
    s->scratch = sonic_arena_take(s->arena, scratch_floats * sizeof(float));
    s->raw = sonic_arena_take(s->arena, picture);
    s->moved = sonic_arena_take(s->arena, picture);
    s->before = sonic_arena_take(s->arena, picture);
    s->noise.memory = sonic_arena_take(s->arena, picture);
    s->noise.variance = sonic_arena_take(s->arena, picture / 3);
    s->noise.scratch = sonic_arena_take(s->arena, picture);
    s->noise.width = s->width, s->noise.height = s->height;
}

static void choose_amounts(sonic_smooth *s, double strength)
{
    s->amount = strength < 0.5 ? 2.0 * strength : 1.0;
    s->least = 0.2 - 0.1 * (strength > 0.5 ? 2.0 * strength - 1.0 : 0.0);
    s->loss = 0.01 + (strength > 0.5 ? 0.5 * (strength - 0.5) : 0.0);
}

static void choose_delay(sonic_smooth *s)
{
    int64_t slots = ring_bytes / (int64_t)(frame_bytes(s) / 3 * 4);
    s->ahead = slots > SLOTS_MAX ? AHEAD_MAX : slots < AHEAD_MIN + 1 ? AHEAD_MIN : (int32_t)slots - 1;
}

static sonic_status reserve(sonic_smooth *s)
{
    sonic_planes layout;
    const size_t plane_floats = sonic_planes_layout(&layout, s->width, s->height),
                 scratch_floats = sonic_step_scratch(&layout);
    const size_t blocks = sonic_step_blocks(&layout);
    sonic_status status = sonic_arena_create(&s->arena, arena_bytes(s, plane_floats, scratch_floats, blocks));
    if (status)
        return status;
    s->planes[0] = s->planes[1] = layout;
    take_pieces(s, plane_floats, scratch_floats, blocks);
    return SONIC_OK;
}

sonic_status sonic_smooth_create(sonic_smooth **out, int32_t width_px, int32_t height_px, double strength)
{
    *out = NULL;
    if (width_px < 1 || height_px < 1 || width_px > SIDE_MAX_PX || height_px > SIDE_MAX_PX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose frames with sides of 1 to %d px: these have %d x %d.",
                          SIDE_MAX_PX, (int)width_px, (int)height_px);
    if (!(strength >= 0.0 && strength <= 1.0))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a strength from 0 to 1: it is %g.", strength);
    sonic_smooth *s = calloc(1, sizeof *s);
    if (!s)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: memory for the smoother is not free.");
    s->width = width_px, s->height = height_px;
    s->idle = strength == 0.0 || width_px < SIDE_MIN_PX || height_px < SIDE_MIN_PX;
    choose_amounts(s, strength);
    choose_delay(s);
    sonic_status status = reserve(s);
    if (status) {
        free(s);
        return status;
    }
    *out = s;
    return SONIC_OK;
}

void sonic_smooth_free(sonic_smooth *smooth)
{
    if (smooth)
        sonic_arena_free(smooth->arena);
    free(smooth);
}

int32_t sonic_smooth_delay(const sonic_smooth *smooth) { return smooth->ahead; }

void sonic_smooth_end(sonic_smooth *smooth) { smooth->ended = 1; }

sonic_smooth_report sonic_smooth_tell(const sonic_smooth *smooth)
{
    sonic_smooth_report r = smooth->report;
    r.shake_px /= r.shaken ? (double)r.shaken : 1.0;
    r.flicker /= r.flickering ? (double)r.flickering : 1.0;
    r.noise /= r.noisy ? (double)r.noisy : 1.0;
    return r;
}

static uint8_t *frame_slot(const sonic_smooth *s, int64_t i)
{
    return s->frames + (size_t)(i % (s->ahead + 1)) * frame_bytes(s);
}

static uint8_t *mask_slot(const sonic_smooth *s, int64_t i)
{
    return s->masks + (size_t)(i % (s->ahead + 1)) * (frame_bytes(s) / 3);
}

static void copy_rows(uint8_t *out, ptrdiff_t out_stride, const uint8_t *in, ptrdiff_t in_stride, int32_t width,
                      int32_t height)
{
    for (int32_t y = 0; y < height; y++)
        memcpy(out + y * out_stride, in + y * in_stride, (size_t)width * 3);
}

static sonic_status check_frame(const sonic_smooth *s, sonic_image frame)
{
    if (frame.width_px == s->width && frame.height_px == s->height && frame.channels == 3)
        return SONIC_OK;
    return sonic_fail(SONIC_ERROR_SHAPE,
                      "Give frames of one size, %d x %d with 3 channels: this one has %d x %d with %d.", (int)s->width,
                      (int)s->height, (int)frame.width_px, (int)frame.height_px, (int)frame.channels);
}

sonic_status sonic_smooth_push(sonic_smooth *s, sonic_image frame, const float *meshes, int32_t count)
{
    sonic_status status = check_frame(s, frame);
    if (status)
        return status;
    if (s->pushed - s->pulled > s->ahead || s->ended)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Pull a frame first: %lld are waiting.",
                          (long long)(s->pushed - s->pulled));
    const int64_t i = s->pushed++;
    const ptrdiff_t stride = (ptrdiff_t)s->width * 3;
    copy_rows(frame_slot(s, i), stride, frame.data, frame.stride, s->width, s->height);
    if (s->idle)
        return SONIC_OK;
    if (count >= 0)
        sonic_guard_draw(mask_slot(s, i), s->width, s->height, meshes, count);
    else if (i)
        memcpy(mask_slot(s, i), mask_slot(s, i - 1), frame_bytes(s) / 3);
    else
        memset(mask_slot(s, i), 0, frame_bytes(s) / 3);
    sonic_planes_fill(&s->planes[i % 2], s->scratch, frame);
    if (i)
        sonic_step_measure(&s->steps[i % STEPS], &s->planes[(i + 1) % 2], &s->planes[i % 2], &s->steps[(i - 1) % STEPS],
                           s->trust, s->scratch);
    else
        s->steps[0].cut = 1;
    return SONIC_OK;
}

static const sonic_step *step_at(const sonic_smooth *s, int64_t i) { return &s->steps[i % STEPS]; }

/* 0 below range[0], 1 above range[1], smooth between. */
static double ramp(double value, const double range[2])
{
    double t = (value - range[0]) / (range[1] - range[0]);
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return t * t * (3 - 2 * t);
}

/* Frames first .. last of the scene around `at` on which its correction rests. */
typedef struct span {
    int64_t first, last, at;
} span;

static span span_around(const sonic_smooth *s, int64_t at)
{
    span w = {at - PAST > s->scene ? at - PAST : s->scene, at, at};
    while (w.last + 1 < s->pushed && w.last < at + s->ahead && !step_at(s, w.last + 1)->cut)
        w.last++;
    return w;
}

/* What is smoothed: the shift along x and y, the gains of R, G and B, and the tiles' own gains. */
enum { SHIFT = 0, GAIN = 2, TILE = 5, KINDS = TILE + TILES };

/* A step of one kind, or 0 when it could not be measured. */
static int read_step(double *out, const sonic_step *step, int kind)
{
    if (kind < GAIN)
        *out = step->shift_px[kind];
    else
        *out = kind < TILE ? step->gain[kind - GAIN] : step->tile_gain[kind - TILE];
    const double gain_error = kind < TILE ? step->gain_error : step->tile_error[kind - TILE];
    const int sure = kind < GAIN ? step->error_px[kind] < error_max_px : gain_error < error_max_gain;
    if (!sure)
        *out = 0.0;
    return sure;
}

/* Steps of one kind in the span. Returns the share that could be measured. */
static double collect(double *out, const sonic_smooth *s, span w, int kind)
{
    int32_t known = 0;
    for (int64_t i = w.first + 1; i <= w.last; i++)
        known += read_step(&out[i - w.first - 1], step_at(s, i), kind);
    return w.last > w.first ? (double)known / (double)(w.last - w.first) : 0.0;
}

/* White flicker of that size would show in the steps. */
static int worth_a_fit(const double *steps, int64_t count, double least)
{
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += steps[i] * steps[i];
    return squares > least * least * (double)count;
}

typedef struct mending {
    double shift_px[2], gain[3], sigma_px, sigma_gain, flicker; /* flicker: 0..1, how certain */
    float tiles[TILES];                                         /* factors */
    int32_t tiled;                                              /* whether any of them is not 1 */
} mending;

/* The fit of one kind in the span; of 0 where too little was measured. */
static sonic_path_fit fit_kind(const sonic_smooth *s, span w, int kind)
{
    double steps[SONIC_PATH_MAX];
    uint8_t repeats[SONIC_PATH_MAX];
    const int32_t count = (int32_t)(w.last - w.first);
    for (int32_t i = 0; i < count; i++)
        repeats[i] = (uint8_t)step_at(s, w.first + 1 + i)->repeat;
    if (collect(steps, s, w, kind) < 0.8 || (kind >= TILE && !worth_a_fit(steps, count, tile_gain[0])))
        return (sonic_path_fit){0, 0, 0, 0, 0};
    return sonic_path_smooth(steps, kind < GAIN ? repeats : NULL, count, (int32_t)(w.at - w.first), kind < GAIN);
}

typedef struct fits_job {
    const sonic_smooth *smooth;
    span span;
    sonic_path_fit *fits; /* [KINDS] */
} fits_job;

static void fit_kinds(int64_t begin, int64_t end, void *context)
{
    const fits_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        /* The two that take longest are first and last */
        const int kind = i == KINDS - 1 ? SHIFT + 1 : i > SHIFT ? (int)i + 1 : SHIFT;
        job->fits[kind] = fit_kind(job->smooth, job->span, kind);
    }
}

/* That it is white by its size and evenness, 0..1, whatever curve was drawn. */
static double certainty(const sonic_path_fit *fit, const double range[2])
{
    return ramp(fit->white, range) * ramp(fit->evenness, certain_evenness);
}

static void mend_gains(mending *m, const sonic_smooth *s, const sonic_path_fit fits[KINDS])
{
    for (int kind = GAIN; kind < KINDS; kind++) {
        const sonic_path_fit fit = fits[kind];
        const double size = fmin(fit.sigma, 1.5 * fit.white),
                     white = fmax(fit.whiteness, certainty(&fit, certain_gain));
        const double sure = s->amount * white * ramp(size, kind < TILE ? flicker_gain : tile_gain),
                     factor = exp(sure * fit.correction);
        if (sure > 0)
            m->sigma_gain = fmax(m->sigma_gain, fit.sigma);
        if (kind < TILE)
            m->gain[kind - GAIN] = factor, m->flicker = fmax(m->flicker, white * ramp(size, certain_gain));
        else
            m->tiles[kind - TILE] = (float)factor, m->tiled |= sure > 0;
    }
}

/* How far shake along an axis may be mended, 0..1: not where sudden movement is; beside movement along the other axis,
 * if it is small. */
static double allowance(const sonic_path_fit fits[2], int axis)
{
    const double own = ramp(fits[axis].evenness, certain_evenness),
                 other = ramp(fits[1 - axis].evenness, certain_evenness);
    return fmin(own, fmax(other, 1.0 - ramp(fits[axis].white, beside_movement_px)));
}

static void mend_shake(mending *m, const sonic_smooth *s, const sonic_path_fit fits[2])
{
    const double certain[2] = {certainty(&fits[0], certain_px), certainty(&fits[1], certain_px)};
    const double likely = fmax(fmin(certain[0], certain[1]), m->flicker);
    for (int axis = 0; axis < 2; axis++) {
        const double white = fmax(fits[axis].whiteness, certain[axis]) * fmin(likely, allowance(fits, axis));
        const double sure = s->amount * white * ramp(fits[axis].sigma, shake_px);
        m->shift_px[axis] = -sure * fits[axis].correction;
        if (sure > 0)
            m->sigma_px = fmax(m->sigma_px, fits[axis].sigma);
    }
}

static mending find_mending(const sonic_smooth *s, int64_t at)
{
    mending m = {{0}, {0}, 0, 0, 0, {0}, 0};
    sonic_path_fit fits[KINDS];
    fits_job job = {s, span_around(s, at), fits};
    sonic_parallel_for(KINDS, 1, fit_kinds, &job);
    mend_gains(&m, s, fits);
    mend_shake(&m, s, fits + SHIFT);
    return m;
}

typedef struct convert_job {
    const sonic_smooth *smooth;
    const uint8_t *in;
    float *out_floats;
    const float *in_floats;
    sonic_image out;
    const mending *mending;
    float share;
} convert_job;

/* Where a pixel lies between the middles of the tiles, 0 .. SONIC_TILES - 1. */
static float tile_place(int64_t at, int32_t size, int32_t *tile)
{
    float place = ((float)at + 0.5f) * SONIC_TILES / (float)size - 0.5f;
    place = place < 0.0f ? 0.0f : place > SONIC_TILES - 1.0f ? SONIC_TILES - 1.0f : place;
    *tile = place >= SONIC_TILES - 1.0f ? SONIC_TILES - 2 : (int32_t)place;
    return place - (float)*tile;
}

/* The tiles' factors, interpolated between their middles. */
static void light_row(float *row, const mending *m, int64_t y, int32_t width, int32_t height)
{
    float factors[SONIC_TILES];
    int32_t top, left;
    const float v = tile_place(y, height, &top);
    for (int k = 0; k < SONIC_TILES; k++)
        factors[k] = m->tiles[top * SONIC_TILES + k] +
                     v * (m->tiles[(top + 1) * SONIC_TILES + k] - m->tiles[top * SONIC_TILES + k]);
    for (int32_t x = 0; x < width; x++) {
        const float u = tile_place(x, width, &left), factor = factors[left] + u * (factors[left + 1] - factors[left]);
        row[3 * x] *= factor, row[3 * x + 1] *= factor, row[3 * x + 2] *= factor;
    }
}

static void widen_rows(int64_t begin, int64_t end, void *context)
{
    const convert_job *job = context;
    const int32_t width = job->smooth->width;
    const float r = (float)job->mending->gain[0], g = (float)job->mending->gain[1], b = (float)job->mending->gain[2];
    for (int64_t y = begin; y < end; y++) {
        const uint8_t *in = job->in + y * width * 3;
        float *out = job->out_floats + y * width * 3;
        for (int32_t x = 0; x < 3 * width; x += 3)
            out[x] = r * in[x], out[x + 1] = g * in[x + 1], out[x + 2] = b * in[x + 2];
        if (job->mending->tiled)
            light_row(out, job->mending, y, width, job->smooth->height);
    }
}

static void narrow_rows(int64_t begin, int64_t end, void *context)
{
    const convert_job *job = context;
    const int32_t count = 3 * job->smooth->width;
    for (int64_t y = begin; y < end; y++) {
        const float *in = job->in_floats + y * count;
        uint8_t *out = job->out.data + y * job->out.stride;
        for (int32_t x = 0; x < count; x++) {
            float value = in[x] + 0.5f;
            out[x] = (uint8_t)(value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value);
        }
    }
}

/* out = frame + share * (memory - frame) */
static void mix_rows(int64_t begin, int64_t end, void *context)
{
    const convert_job *job = context;
    const int32_t count = 3 * job->smooth->width;
    for (int64_t y = begin; y < end; y++) {
        const float *frame = job->in_floats + y * count, *memory = job->smooth->noise.memory + y * count;
        float *out = job->out_floats + y * count;
        for (int32_t x = 0; x < count; x++)
            out[x] = frame[x] + job->share * (memory[x] - frame[x]);
    }
}

static void learn_noise(sonic_smooth *s)
{
    if (!s->compares)
        return;
    double sigma = sonic_noise_measure(s->moved, s->before, s->width, s->height);
    s->measured += s->measured < 12;
    s->sigma += (sigma - s->sigma) / s->measured;
}

static void swap_pictures(float **a, float **b)
{
    float *swap = *a;
    *a = *b, *b = swap;
}

/* The frame in `moved`, cleaned, in `raw`; or 0 when there is no noise to take away. */
static int clean(sonic_smooth *s, const uint8_t *mask, double flicker)
{
    learn_noise(s);
    const double alone = ramp(s->sigma, noise_alone);
    double share = s->amount * fmax(alone, flicker * ramp(s->sigma, noise_levels));
    if (share <= 0 || !s->remembers)
        sonic_noise_start(&s->noise, s->moved);
    s->remembers = 1;
    if (share <= 0)
        return 0;
    sonic_noise_take(&s->noise, s->moved, s->sigma, s->least);
    convert_job job = {s, NULL, s->raw, s->moved, {0}, NULL, (float)share};
    sonic_parallel_for(s->height, ROWS_AT_ONCE, mix_rows, &job);
    sonic_noise_even(s->noise.scratch, s->raw, &s->noise, s->sigma, share);
    swap_pictures(&s->raw, &s->noise.scratch);
    sonic_guard_apply(s->raw, s->moved, mask, s->width, s->height, s->loss);
    s->report.noisy++, s->report.noise += s->sigma;
    return 1;
}

static void count_up(sonic_smooth *s, const mending *m)
{
    s->report.shaken += m->sigma_px > 0, s->report.shake_px += m->sigma_px;
    s->report.flickering += m->sigma_gain > 0, s->report.flicker += m->sigma_gain;
}

static void finish_frame(sonic_image out, sonic_smooth *s, int64_t at)
{
    const mending m = find_mending(s, at);
    convert_job job = {s, frame_slot(s, at), s->raw, NULL, out, &m, 0};
    sonic_parallel_for(s->height, ROWS_AT_ONCE, widen_rows, &job);
    sonic_shift(s->moved, s->noise.scratch, s->raw, s->width, s->height, 3, m.shift_px[0], m.shift_px[1]);
    const int cleaned = clean(s, mask_slot(s, at), m.flicker);
    count_up(s, &m);
    if (!cleaned && m.sigma_px == 0 && m.sigma_gain == 0) {
        copy_rows(out.data, out.stride, job.in, (ptrdiff_t)s->width * 3, s->width, s->height);
    } else {
        job.in_floats = cleaned ? s->raw : s->moved;
        sonic_parallel_for(s->height, ROWS_AT_ONCE, narrow_rows, &job);
    }
    swap_pictures(&s->before, &s->moved);
    s->compares = 1;
}

sonic_status sonic_smooth_pull(sonic_smooth *s, sonic_image out, int32_t *ready)
{
    *ready = 0;
    sonic_status status = check_frame(s, out);
    if (status || s->pulled == s->pushed || !(s->ended || s->pushed - s->pulled > s->ahead))
        return status;
    const int64_t at = s->pulled;
    if (s->idle) {
        copy_rows(out.data, out.stride, frame_slot(s, at), (ptrdiff_t)s->width * 3, s->width, s->height);
    } else {
        if (step_at(s, at)->cut) {
            s->scene = at, s->compares = s->remembers = s->measured = 0, s->sigma = 0;
            s->report.cuts += at > 0;
        }
        finish_frame(out, s, at);
    }
    s->pulled++, s->report.frames++;
    *ready = 1;
    return SONIC_OK;
}
