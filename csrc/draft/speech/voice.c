#include "draft/speech/voice.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "draft/speech/blink.h"
#include "draft/speech/bilabials.h"
#include "draft/speech/sway.h"
#include "draft/speech/mouth_pose.h"

/* Face heights for the speaker's loud, open vowel; real speakers reach 0.09 to 0.15 */
static const float natural_opening = 0.115f;
static const float widest_opening = 0.2f;
/* Of the mouth's, for a speaker's ee over their usual; as wide as real speakers' */
static const float natural_width = 0.2f;
static const float width_per_opening = -0.05f; /* a lowered jaw draws the corners in */

typedef struct analysis {
    int64_t cells;
    sonic_level level;
    float *energies;         /* [cells, SONIC_BANDS] */
    float *amplitudes;       /* [cells] */
    float *local, *scratch;  /* [sonic_level_blocks(cells)] */
    sonic_mouth *mouths;     /* [cells] */
    sonic_spectrum *spectra; /* [cells] */
    float *shut, *openings;  /* [cells] */
    float *moving;           /* [frames] */
} analysis;

sonic_voice_params sonic_voice_default_params(void)
{
    sonic_voice_params params = {0, 1.0f, 1.0f, 1.0f};
    return params;
}

static int within(float value, float high) { return value >= 0.0f && value <= high; }

static sonic_status check_params(sonic_voice_params params)
{
    if (!within(params.opening, 4.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose an opening between 0 and 4. It is %g.", (double)params.opening);
    if (!within(params.sway, 4.0f))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a sway between 0 and 4. It is %g.", (double)params.sway);
    if (!within(params.blink, 1.0f))
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

static sonic_status create_analysis(analysis *a, sonic_arena **arena, int64_t cells, int64_t frames)
{
    size_t n = (size_t)cells, blocks = (size_t)sonic_level_blocks(cells);
    size_t bytes = sonic_arena_piece(n * SONIC_BANDS * sizeof(float)) + sonic_arena_piece(n * sizeof(float)) +
                   2 * sonic_arena_piece(blocks * sizeof(float)) + sonic_arena_piece(n * sizeof(sonic_mouth)) +
                   sonic_arena_piece(n * sizeof(sonic_spectrum)) + 2 * sonic_arena_piece(n * sizeof(float)) +
                   sonic_arena_piece((size_t)frames * sizeof(float));
    sonic_status status = sonic_arena_create(arena, bytes);
    if (status != SONIC_OK)
        return status;
    a->cells = cells;
    a->energies = sonic_arena_take(*arena, n * SONIC_BANDS * sizeof(float));
    a->amplitudes = sonic_arena_take(*arena, n * sizeof(float));
    a->local = sonic_arena_take(*arena, blocks * sizeof(float));
    a->scratch = sonic_arena_take(*arena, blocks * sizeof(float));
    a->mouths = sonic_arena_take(*arena, n * sizeof(sonic_mouth));
    a->spectra = sonic_arena_take(*arena, n * sizeof(sonic_spectrum));
    a->shut = sonic_arena_take(*arena, n * sizeof(float));
    a->openings = sonic_arena_take(*arena, n * sizeof(float));
    a->moving = sonic_arena_take(*arena, (size_t)frames * sizeof(float));
    return SONIC_OK;
}

static void analyse(analysis *a, const float *samples, int64_t count)
{
    sonic_bands_measure(a->energies, a->cells, samples, count);
    sonic_level_normalise(a->energies, a->cells);
    sonic_mouth_amplitude(a->amplitudes, a->energies, a->cells);
    a->level = sonic_level_measure(a->amplitudes, a->cells);
    sonic_level_subtract_noise(a->energies, a->cells);
    sonic_mouth_amplitude(a->amplitudes, a->energies, a->cells);
    sonic_level_follow(a->local, a->scratch, a->amplitudes, a->cells, a->level);
    sonic_mouth_measure(a->mouths, a->energies, a->amplitudes, a->cells, a->level, a->local);
    sonic_mouth_bridge(a->openings, a->mouths, a->cells);
    sonic_spectra_measure(a->spectra, a->energies, a->cells);
    sonic_closures_find(a->shut, a->spectra, a->cells);
}

/* Openings over the natural one bend towards the widest that a pose may ask for. */
static float within_reach(float opening)
{
    float over = opening - natural_opening, room = widest_opening - natural_opening;
    return over <= 0.0f ? opening : natural_opening + room * over / (room + over);
}

/* The mouth as if no lips ever met: `moving` keeps how far it opens, PRESS how surely the lips are shut. */
static void pose_frame(float pose[SONIC_POSE_COUNT], float *moving, const analysis *a, int64_t frame)
{
    sonic_mouth mouth = sonic_mouth_at_frame(a->mouths, a->openings, a->cells, frame);
    *moving = mouth.opening;
    pose[SONIC_POSE_OPENING] = natural_opening * mouth.opening;
    pose[SONIC_POSE_WIDTH] = natural_width * mouth.width + width_per_opening * mouth.opening;
    pose[SONIC_POSE_ROUNDING] = mouth.rounding;
    pose[SONIC_POSE_PRESS] = sonic_closure_at_frame(a->shut, a->cells, frame);
}

/* 0 .. 1: whether the mouth moves within 160 ms. Lips press together in speech; in pauses they just rest. */
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
        status = create_analysis(&a, &arena, (count + SONIC_CELL_SAMPLES - 1) / SONIC_CELL_SAMPLES, frames);
    if (status != SONIC_OK)
        return status;
    memset(poses, 0, (size_t)frames * SONIC_POSE_COUNT * sizeof *poses);
    analyse(&a, samples, count);
    pose_mouth(poses, frames, &a);
    sonic_arena_free(arena);
    sonic_sway_add(poses, frames, params.seed, params.sway);
    sonic_blink_add(poses, frames, params.seed, params.blink);
    for (float *pose = poses; pose < poses + frames * SONIC_POSE_COUNT; pose += SONIC_POSE_COUNT)
        pose[SONIC_POSE_OPENING] = within_reach(params.opening * pose[SONIC_POSE_OPENING]);
    return SONIC_OK;
}
