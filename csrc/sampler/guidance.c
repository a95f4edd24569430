#include "sampler/guidance.h"

sonic_guidance sonic_guidance_plan(double appearance, double audio, int32_t at_once)
{
    sonic_guidance g = {{1.0 - appearance, appearance - audio, audio}, {{0, 0}}, 0};
    for (int32_t b = 0; b < SONIC_GUIDANCE_BRANCHES; b++) {
        sonic_guidance_call *last = g.call_count ? &g.calls[g.call_count - 1] : 0;
        if (g.weights[b] == 0.0)
            continue;
        if (last && last->first_branch + last->branches == b && last->branches < at_once)
            last->branches++;
        else
            g.calls[g.call_count++] = (sonic_guidance_call){b, 1};
    }
    return g;
}
