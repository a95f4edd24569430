#include "draft/speech/blink.h"

#include "draft/pose.h"
#include "core/random.h"
#include "core/scalar.h"

/* Quantiles 0, 1/16 .. 1 of the log-normal interval in seconds, cut at 0.8 and 10 s. A table instead of expf, whose
 * last bits differ between machines. */
static const float interval_quantiles_s[17] = {0.8f,   1.289f, 1.593f, 1.842f, 2.070f, 2.293f, 2.518f, 2.751f, 3.0f,
                                               3.271f, 3.574f, 3.926f, 4.348f, 4.886f, 5.648f, 6.980f, 10.0f};

static float interval_frames(sonic_random *random)
{
    float position = 16.0f * sonic_random_uniform(random);
    int entry = (int)position;
    float share = position - (float)entry;
    return SONIC_POSE_FPS * (interval_quantiles_s[entry] * (1.0f - share) + interval_quantiles_s[entry + 1] * share);
}

/* Closure of the lid, 0 .. 1, `frames` after it is shut: it falls within 2.75 frames (110 ms), stays for one and rises
 * within 4.25 (170 ms). */
static float lid(float frames)
{
    return frames <= 0.0f ? sonic_smoothstep(1.0f + frames / 2.75f) : sonic_smoothstep(1.0f - (frames - 1.0f) / 4.25f);
}

static void add_one(float *poses, int64_t frames, int64_t shut)
{
    for (int64_t i = shut - 3; i <= shut + 6; i++) {
        if (i < 0 || i >= frames)
            continue;
        float *blink = &poses[i * SONIC_POSE_COUNT + SONIC_POSE_BLINK], value = lid((float)(i - shut));
        *blink = value > *blink ? value : *blink;
    }
}

void sonic_blink_add(float *poses, int64_t frames, uint64_t seed, float share)
{
    sonic_random random = sonic_random_create(seed, 1);
    int64_t shut = 0;
    for (;;) {
        shut += (int64_t)interval_frames(&random);
        if (shut >= frames)
            return;
        if (sonic_random_uniform(&random) < share)
            add_one(poses, frames, shut);
    }
}
