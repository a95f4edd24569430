#include "draft/speech/sway.h"

#include "draft/pose.h"
#include "core/random.h"

enum { KNOT_FRAMES = 40, NOD_REACH = 12 }; /* 1.6 s between random points; 0.48 s to either side */
static const float drift_x = 0.019f, drift_y = 0.010f, drift_roll = 0.029f, nod_y = 0.010f;

/* Uniform cubic B-spline: twice continuously differentiable, within the hull of its points. */
static float spline(const float knots[4], float t)
{
    float u = 1.0f - t, t2 = t * t, t3 = t2 * t;
    return (u * u * u * knots[0] + (3.0f * t3 - 6.0f * t2 + 4.0f) * knots[1] +
            (-3.0f * t3 + 3.0f * t2 + 3.0f * t + 1.0f) * knots[2] + t3 * knots[3]) *
           (1.0f / 6.0f);
}

static void push_knot(float knots[4], float knot)
{
    for (int i = 0; i < 3; i++)
        knots[i] = knots[i + 1];
    knots[3] = knot;
}

/* Adds a random curve within +-scale that starts at 0 with speed 0: its first three points are 0. */
static void add_drift(float *poses, int64_t frames, int channel, sonic_random random, float scale)
{
    float knots[4] = {0};
    for (int64_t i = 0; i < frames; i++) {
        if (i % KNOT_FRAMES == 0)
            push_knot(knots, 2.0f * sonic_random_uniform(&random) - 1.0f);
        poses[i * SONIC_POSE_COUNT + channel] += scale * spline(knots, (float)(i % KNOT_FRAMES) / KNOT_FRAMES);
    }
}

/* Triangle-weighted mean opening within half a second, relative to 0.1 face heights. */
static float loudness(const float *poses, int64_t frames, int64_t frame)
{
    float sum = 0.0f;
    for (int64_t k = -NOD_REACH; k <= NOD_REACH; k++) {
        int64_t i = frame + k;
        if (i >= 0 && i < frames)
            sum += (float)(NOD_REACH + 1 - (k < 0 ? -k : k)) * poses[i * SONIC_POSE_COUNT + SONIC_POSE_OPENING];
    }
    return sum * (10.0f / ((NOD_REACH + 1) * (NOD_REACH + 1)));
}

static void add_nods(float *poses, int64_t frames, float scale)
{
    for (int64_t i = 0; i < frames; i++) {
        float start = i < SONIC_POSE_FPS ? (float)i / SONIC_POSE_FPS : 1.0f, nod = loudness(poses, frames, i);
        poses[i * SONIC_POSE_COUNT + SONIC_POSE_SWAY_Y] += scale * start * (nod < 1.0f ? nod : 1.0f);
    }
}

void sonic_sway_add(float *poses, int64_t frames, uint64_t seed, float amount)
{
    add_drift(poses, frames, SONIC_POSE_SWAY_X, sonic_random_create(seed, 2), amount * drift_x);
    add_drift(poses, frames, SONIC_POSE_SWAY_Y, sonic_random_create(seed, 3), amount * drift_y);
    add_drift(poses, frames, SONIC_POSE_ROLL, sonic_random_create(seed, 4), amount * drift_roll);
    add_nods(poses, frames, amount * nod_y);
}
