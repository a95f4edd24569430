#include "draft/speech/voice.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "core/progress.h"
#include "draft/speech/blink.h"
#include "draft/speech/bilabials.h"
#include "draft/speech/sway.h"
#include "draft/speech/mouth_pose.h"

/* Face heights for the speaker's loud, open vowel; the 95th percentile of three recorded speakers is 0.09 to 0.15 */
static const float natural_opening = 0.115f;
static const float widest_opening = 0.2f;
/* Relative change of the mouth's width for the speaker's ee against their mean */
static const float natural_width = 0.2f;
static const float width_per_opening = -0.05f; /* a lowered jaw draws the corners in */

typedef struct analysis {
    int64_t hops;
    sonic_level level;
    float *energies;           /* [hops, SONIC_BANDS] */
    float *amplitudes;         /* [hops] */
    float *local, *scratch;    /* [sonic_level_blocks(hops)] */
    sonic_mouth_pose *mouths;  /* [hops] */
    sonic_bilabial_cues *cues; /* [hops] */
    float *shut, *openings;    /* [hops] */
    float *moving;             /* [frames] */
} analysis;

sonic_voice_params sonic_voice_default_params(void)
{
    sonic_voice_params params = {0, 1.0f, 1.0f, 1.0f};
    return params;
}

static int is_within(float value, float high) { return value >= 0.0f && value <= high; }

static sonic_status check_params(sonic_voice_params params)
{
    if (!is_within(params.opening, 4.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose an opening between 0 and 4. It is %g.", (double)params.opening);
    if (!is_within(params.sway, 4.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a sway between 0 and 4. It is %g.", (double)params.sway);
    if (!is_within(params.blink, 1.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a blink between 0 and 1. It is %g.", (double)params.blink);
    return SONIC_OK;
}

static sonic_status check_samples(const float *samples, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(samples[i]) <= 1e4f))
            return sonic_fail(SONIC_ERROR_ARGUMENT,
                              "Export the recording again: sample %lld is not a number between -1 and 1 (%g).",
                              (long long)i, (double)samples[i]);
    return SONIC_OK;
}

static sonic_status create_analysis(analysis *a, sonic_arena **arena, int64_t hops, int64_t frames)
{
    size_t n = (size_t)hops, blocks = (size_t)sonic_level_blocks(hops);
    size_t bytes = sonic_arena_piece(n * SONIC_BANDS * sizeof(float)) + sonic_arena_piece(n * sizeof(float)) +
                   2 * sonic_arena_piece(blocks * sizeof(float)) + sonic_arena_piece(n * sizeof(sonic_mouth_pose)) +
                   sonic_arena_piece(n * sizeof(sonic_bilabial_cues)) + 2 * sonic_arena_piece(n * sizeof(float)) +
                   sonic_arena_piece((size_t)frames * sizeof(float));
    sonic_status status = sonic_arena_create(arena, bytes);
    if (status != SONIC_OK)
        return status;
    a->hops = hops;
    a->energies = sonic_arena_take(*arena, n * SONIC_BANDS * sizeof(float));
    a->amplitudes = sonic_arena_take(*arena, n * sizeof(float));
    a->local = sonic_arena_take(*arena, blocks * sizeof(float));
    a->scratch = sonic_arena_take(*arena, blocks * sizeof(float));
    a->mouths = sonic_arena_take(*arena, n * sizeof(sonic_mouth_pose));
    a->cues = sonic_arena_take(*arena, n * sizeof(sonic_bilabial_cues));
    a->shut = sonic_arena_take(*arena, n * sizeof(float));
    a->openings = sonic_arena_take(*arena, n * sizeof(float));
    a->moving = sonic_arena_take(*arena, (size_t)frames * sizeof(float));
    return SONIC_OK;
}

static sonic_status measure_level(analysis *a)
{
    sonic_level_normalise(a->energies, a->hops);
    sonic_mouth_pose_amplitude(a->amplitudes, a->energies, a->hops);
    a->level = sonic_level_measure(a->amplitudes, a->hops);
    return sonic_progress_poll();
}

static sonic_status subtract_noise(analysis *a)
{
    sonic_level_subtract_noise(a->energies, a->hops);
    return sonic_progress_poll();
}

static sonic_status follow_level(analysis *a)
{
    sonic_mouth_pose_amplitude(a->amplitudes, a->energies, a->hops);
    sonic_level_follow(a->local, a->scratch, a->amplitudes, a->hops, a->level);
    return sonic_progress_poll();
}

static sonic_status measure_mouths(analysis *a)
{
    return sonic_mouth_pose_measure(a->mouths, a->energies, a->amplitudes, a->hops, a->level, a->local);
}

static sonic_status bridge_gaps(analysis *a)
{
    sonic_mouth_pose_bridge(a->openings, a->mouths, a->hops);
    return sonic_progress_poll();
}

static sonic_status measure_bilabials(analysis *a) { return sonic_bilabials_measure(a->cues, a->energies, a->hops); }

static sonic_status find_bilabials(analysis *a) { return sonic_bilabials_find(a->shut, a->cues, a->hops); }

/* The bands take most of the time, so they alone report progress. */
static sonic_status analyse(analysis *a, const float *samples, int64_t count)
{
    static sonic_status (*const steps[])(analysis *) = {measure_level, subtract_noise,    follow_level,  measure_mouths,
                                                        bridge_gaps,   measure_bilabials, find_bilabials};
    sonic_status status = sonic_bands_measure(a->energies, a->hops, samples, count);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == SONIC_OK; i++)
        status = steps[i](a);
    return status;
}

/* Openings above the natural one approach the widest that a pose allows. */
static float limit_opening(float opening)
{
    float over = opening - natural_opening, room = widest_opening - natural_opening;
    return over <= 0.0f ? opening : natural_opening + room * over / (room + over);
}

/* The mouth without closures: `moving` keeps its opening, PRESS the likelihood that the lips are shut. */
static void pose_frame(float pose[SONIC_POSE_COUNT], float *moving, const analysis *a, int64_t frame)
{
    sonic_mouth_pose mouth = sonic_mouth_pose_at_frame(a->mouths, a->openings, a->hops, frame);
    *moving = mouth.opening;
    pose[SONIC_POSE_OPENING] = natural_opening * mouth.opening;
    pose[SONIC_POSE_WIDTH] = natural_width * mouth.width + width_per_opening * mouth.opening;
    pose[SONIC_POSE_ROUNDING] = mouth.rounding;
    pose[SONIC_POSE_PRESS] = sonic_bilabials_at_frame(a->shut, a->hops, frame);
}

/* 0 .. 1: whether the mouth moves within 160 ms. Lips press together in speech but rest in pauses. */
static float activity(const float *moving, int64_t frames, int64_t frame)
{
    float most = 0.0f;
    for (int64_t i = frame - 4; i <= frame + 4; i++)
        if (i >= 0 && i < frames)
            most = fmaxf(most, moving[i]);
    return most < 0.1f ? 0.0f : fminf(1.0f, 5.0f * (most - 0.1f));
}

static void pose_mouth(float *poses, int64_t frames, const analysis *a)
{
    for (int64_t i = 0; i < frames; i++)
        pose_frame(poses + i * SONIC_POSE_COUNT, &a->moving[i], a, i);
    for (int64_t i = 0; i < frames; i++) {
        float *pose = poses + i * SONIC_POSE_COUNT;
        pose[SONIC_POSE_OPENING] *= 1.0f - pose[SONIC_POSE_PRESS];
        pose[SONIC_POSE_PRESS] *= activity(a->moving, frames, i);
    }
}

sonic_status sonic_voice_poses(float *poses, int64_t frames, const float *samples, int64_t count,
                               sonic_voice_params params)
{
    analysis a;
    sonic_arena *arena;
    sonic_status status = check_params(params);
    if (status == SONIC_OK)
        status = check_samples(samples, count);
    if (status == SONIC_OK)
        status = create_analysis(&a, &arena, (count + SONIC_BANDS_HOP_SAMPLES - 1) / SONIC_BANDS_HOP_SAMPLES, frames);
    if (status != SONIC_OK)
        return status;
    memset(poses, 0, (size_t)frames * SONIC_POSE_COUNT * sizeof *poses);
    if ((status = analyse(&a, samples, count)) == SONIC_OK)
        pose_mouth(poses, frames, &a);
    sonic_arena_free(arena);
    if (status != SONIC_OK)
        return status;
    sonic_sway_add(poses, frames, params.seed, params.sway);
    sonic_blink_add(poses, frames, params.seed, params.blink);
    for (float *pose = poses; pose < poses + frames * SONIC_POSE_COUNT; pose += SONIC_POSE_COUNT)
        pose[SONIC_POSE_OPENING] = limit_opening(params.opening * pose[SONIC_POSE_OPENING]);
    return SONIC_OK;
}
