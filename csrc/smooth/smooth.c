#include "smooth/smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "smooth/correction.h"
#include "smooth/face_mask.h"
#include "smooth/motion.h"
#include "smooth/noise.h"
#include "smooth/pixels.h"
#include "smooth/translate.h"

enum { AHEAD_MAX = 20, AHEAD_MIN = 4, PAST = 40, MOTIONS = 128, SIDE_MAX_PX = 8192, SIDE_MIN_PX = 64 };
static const int64_t ring_bytes = 256 << 20; /* of the waiting frames and masks: larger frames shorten the look-ahead */

/* Ranges of the noise level, from no correction to full correction: beside flicker, and alone. Chosen by hand on the
 * clips of bench/smooth.py. */
static const double noise_beside_flicker[2] = {1.0, 1.5}, noise_alone[2] = {1.4, 1.8};
enum { NOISE_FRAMES = 12 }; /* time constant of the mean noise level, in frames */

struct sonic_smooth {
    sonic_arena *arena;
    int32_t width, height, ahead, ended, idle;
    /* Share of the corrections; smallest gain of the noise filter; largest loss of Laplacian energy in faces */
    double amount, min_gain, max_loss;
    int64_t pushed, pulled;
    uint8_t *frames, *masks; /* [ahead + 1, height, width, 3] and [ahead + 1, height, width] */
    sonic_pyramid pyramids[2];
    float *prior, *scratch;
    float *gained, *translated, *before;  /* [height, width, 3]; `before` is the last translated frame */
    sonic_camera_motion motions[MOTIONS]; /* of frame i, at i % MOTIONS */
    int64_t scene;                        /* first frame of the scene that the next pulled frame is in */
    sonic_noise_filter noise;
    double sigma;                     /* mean noise level of the scene, in levels */
    int32_t noise_frames;             /* frames in `sigma` */
    int32_t has_estimate, has_before; /* whether the noise filter and `before` hold a frame of the scene */
    sonic_smooth_report report;
};

static size_t frame_bytes(const sonic_smooth *s) { return (size_t)s->width * s->height * 3; }

static size_t arena_bytes(const sonic_smooth *s, size_t pyramid_floats, size_t scratch_floats, size_t prior_floats)
{
    const size_t slots = (size_t)s->ahead + 1, image = sonic_arena_piece(frame_bytes(s) * sizeof(float));
    return sonic_arena_piece(slots * frame_bytes(s)) + sonic_arena_piece(slots * frame_bytes(s) / 3) +
           2 * sonic_arena_piece(pyramid_floats * sizeof(float)) + sonic_arena_piece(scratch_floats * sizeof(float)) +
           sonic_arena_piece(prior_floats * sizeof(float)) + 6 * image;
}

static void take_buffers(sonic_smooth *s, size_t pyramid_floats, size_t scratch_floats, size_t prior_floats)
{
    const size_t slots = (size_t)s->ahead + 1, image = frame_bytes(s) * sizeof(float);
    s->frames = sonic_arena_take(s->arena, slots * frame_bytes(s));
    s->masks = sonic_arena_take(s->arena, slots * frame_bytes(s) / 3);
    for (int i = 0; i < 2; i++)
        sonic_pyramid_place(&s->pyramids[i], sonic_arena_take(s->arena, pyramid_floats * sizeof(float)));
    s->prior = sonic_arena_take(s->arena, prior_floats * sizeof(float));
    s->scratch = sonic_arena_take(s->arena, scratch_floats * sizeof(float));
    s->gained = sonic_arena_take(s->arena, image);
    s->translated = sonic_arena_take(s->arena, image);
    s->before = sonic_arena_take(s->arena, image);
    s->noise.estimate = sonic_arena_take(s->arena, image);
    s->noise.variance = sonic_arena_take(s->arena, image / 3);
    s->noise.scratch = sonic_arena_take(s->arena, image);
    s->noise.width = s->width, s->noise.height = s->height;
}

/* Up to 0.5 the strength scales the corrections; above, it filters noise more strongly. */
static void choose_amounts(sonic_smooth *s, double strength)
{
    s->amount = strength < 0.5 ? 2.0 * strength : 1.0;
    s->min_gain = 0.2 - 0.1 * (strength > 0.5 ? 2.0 * strength - 1.0 : 0.0);
    s->max_loss = 0.01 + (strength > 0.5 ? 0.5 * (strength - 0.5) : 0.0);
}

static void choose_delay(sonic_smooth *s)
{
    int64_t slots = ring_bytes / (int64_t)(frame_bytes(s) / 3 * 4);
    s->ahead = slots > AHEAD_MAX + 1 ? AHEAD_MAX : slots < AHEAD_MIN + 1 ? AHEAD_MIN : (int32_t)slots - 1;
}

static sonic_status reserve(sonic_smooth *s)
{
    sonic_pyramid layout;
    const size_t pyramid_floats = sonic_pyramid_layout(&layout, s->width, s->height),
                 scratch_floats = sonic_camera_motion_scratch_floats(&layout);
    const size_t prior_floats = sonic_camera_motion_prior_floats(&layout);
    sonic_status status = sonic_arena_create(&s->arena, arena_bytes(s, pyramid_floats, scratch_floats, prior_floats));
    if (status)
        return status;
    s->pyramids[0] = s->pyramids[1] = layout;
    take_buffers(s, pyramid_floats, scratch_floats, prior_floats);
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
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is not enough memory for the smoother.");
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

sonic_smooth_report sonic_smooth_get_report(const sonic_smooth *smooth)
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
    sonic_pixels_copy(frame_slot(s, i), stride, frame.data, frame.stride, s->width, s->height);
    if (s->idle)
        return SONIC_OK;
    if (count >= 0)
        sonic_smooth_mask_draw(mask_slot(s, i), s->width, s->height, meshes, count);
    else if (i)
        memcpy(mask_slot(s, i), mask_slot(s, i - 1), frame_bytes(s) / 3);
    else
        memset(mask_slot(s, i), 0, frame_bytes(s) / 3);
    sonic_pyramid_fill(&s->pyramids[i % 2], s->scratch, frame);
    if (i)
        sonic_camera_motion_estimate(&s->motions[i % MOTIONS], &s->pyramids[(i + 1) % 2], &s->pyramids[i % 2],
                                     &s->motions[(i - 1) % MOTIONS], s->prior, s->scratch);
    else
        s->motions[0].cut = 1;
    return SONIC_OK;
}

static sonic_motion_window window_around(const sonic_smooth *s, int64_t at)
{
    sonic_motion_window w = {s->motions, MOTIONS, at - PAST > s->scene ? at - PAST : s->scene, at, at};
    while (w.last + 1 < s->pushed && w.last < at + s->ahead && !s->motions[(w.last + 1) % MOTIONS].cut)
        w.last++;
    return w;
}

/* Updates the mean noise level of the scene. */
static void update_noise_level(sonic_smooth *s)
{
    if (!s->has_before)
        return;
    double sigma = sonic_noise_estimate(s->translated, s->before, s->width, s->height);
    s->noise_frames += s->noise_frames < NOISE_FRAMES;
    s->sigma += (sigma - s->sigma) / s->noise_frames;
}

static void swap(float **a, float **b)
{
    float *held = *a;
    *a = *b, *b = held;
}

/* Filters the frame in `translated` into `gained`. Returns 0 when there is no noise to remove. */
static int filter_noise(sonic_smooth *s, const uint8_t *mask, double flicker)
{
    update_noise_level(s);
    const double alone = sonic_smooth_ramp(s->sigma, noise_alone);
    double share = s->amount * fmax(alone, flicker * sonic_smooth_ramp(s->sigma, noise_beside_flicker));
    if (share <= 0 || !s->has_estimate)
        sonic_noise_reset(&s->noise, s->translated);
    s->has_estimate = 1;
    if (share <= 0)
        return 0;
    sonic_noise_update(&s->noise, s->translated, s->sigma, s->min_gain);
    sonic_pixels_blend(s->gained, s->translated, s->noise.estimate, (float)share, s->width, s->height);
    sonic_noise_filter_residual(s->noise.scratch, s->gained, &s->noise, s->sigma, share);
    swap(&s->gained, &s->noise.scratch);
    sonic_smooth_mask_apply(s->gained, s->translated, mask, s->width, s->height, s->max_loss);
    s->report.noisy++, s->report.noise += s->sigma;
    return 1;
}

static void count_correction(sonic_smooth *s, const sonic_correction *c)
{
    s->report.shaken += c->sigma_px > 0, s->report.shake_px += c->sigma_px;
    s->report.flickering += c->sigma_gain > 0, s->report.flicker += c->sigma_gain;
}

static void finish_frame(sonic_image out, sonic_smooth *s, int64_t at)
{
    const uint8_t *in = frame_slot(s, at);
    const sonic_motion_window window = window_around(s, at);
    sonic_correction c;
    sonic_correction_find(&c, &window, s->amount);
    sonic_pixels_apply_gains(s->gained, in, s->width, s->height, &c);
    sonic_translate(s->translated, s->noise.scratch, s->gained, s->width, s->height, 3, c.shift_px[0], c.shift_px[1]);
    const int filtered = filter_noise(s, mask_slot(s, at), c.flicker);
    count_correction(s, &c);
    if (!filtered && c.sigma_px == 0 && c.sigma_gain == 0)
        sonic_pixels_copy(out.data, out.stride, in, (ptrdiff_t)s->width * 3, s->width, s->height);
    else
        sonic_pixels_round(out, filtered ? s->gained : s->translated);
    swap(&s->before, &s->translated);
    s->has_before = 1;
}

sonic_status sonic_smooth_pull(sonic_smooth *s, sonic_image out, int32_t *ready)
{
    *ready = 0;
    sonic_status status = check_frame(s, out);
    if (status || s->pulled == s->pushed || !(s->ended || s->pushed - s->pulled > s->ahead))
        return status;
    const int64_t at = s->pulled;
    if (s->idle) {
        sonic_pixels_copy(out.data, out.stride, frame_slot(s, at), (ptrdiff_t)s->width * 3, s->width, s->height);
    } else {
        if (s->motions[at % MOTIONS].cut) {
            s->scene = at, s->has_before = s->has_estimate = s->noise_frames = 0, s->sigma = 0;
            s->report.cuts += at > 0;
        }
        finish_frame(out, s, at);
    }
    s->pulled++, s->report.frames++;
    *ready = 1;
    return SONIC_OK;
}
