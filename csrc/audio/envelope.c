#include "audio/envelope.h"

#include <math.h>

static double mean_square(const float *x, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum / (double)n;
}

/* First sample of a frame, clamped to the end of the audio. */
static int64_t frame_begin(int64_t frame, double samples_per_frame, int64_t count)
{
    double begin = floor((double)frame * samples_per_frame + 0.5);
    return begin < (double)count ? (int64_t)begin : count;
}

sonic_status sonic_envelope(float *out, sonic_sound sound, double fps, int64_t frames)
{
    if (!(fps >= 1.0 && fps <= 1000.0) || sound.rate_hz < 1)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose 1 to 1000 frames per second and a rate of at least 1 Hz: they are %g and %d.", fps,
                          (int)sound.rate_hz);
    double samples_per_frame = (double)sound.rate_hz / fps;
    for (int64_t i = 0; i < frames; i++) {
        int64_t begin = frame_begin(i, samples_per_frame, sound.count),
                end = frame_begin(i + 1, samples_per_frame, sound.count);
        out[i] = end > begin ? (float)sqrt(mean_square(sound.samples + begin, end - begin)) : 0.0f;
    }
    return SONIC_OK;
}
