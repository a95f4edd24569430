#include "audio/sum.h"

#include <math.h>

float sonic_sound_sum(float *out, sonic_sound a, sonic_sound b)
{
    int64_t count = a.count > b.count ? a.count : b.count;
    float peak = 0;
    for (int64_t i = 0; i < count; i++) {
        out[i] = (i < a.count ? a.samples[i] : 0) + (i < b.count ? b.samples[i] : 0);
        peak = fmaxf(peak, fabsf(out[i]));
    }
    return peak;
}
