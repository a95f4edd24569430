#include "sampler/shortcuts.h"

sonic_status sonic_shortcuts_check(const sonic_shortcuts *s, int32_t steps_max)
{
    if (!(s->guidance_low >= 0 && s->guidance_low <= s->guidance_high))
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose an interval of guidance from a noise level of 0 or more to a higher one: it is %g to "
                          "%g.",
                          s->guidance_low, s->guidance_high);
    if (s->reuse < 1 || s->reuse > steps_max)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose 1 to %d steps that share deep features: got %d.",
                          (int)steps_max, (int)s->reuse);
    return SONIC_OK;
}

void sonic_shortcuts_plan(sonic_step_work *work, const float *sigmas, int32_t steps, const sonic_shortcuts *s)
{
    int32_t whole = 0; /* the last step that was not shallow */
    for (int32_t i = 0; i < steps; i++) {
        work[i].guided = sigmas[i] >= s->guidance_low && sigmas[i] <= s->guidance_high;
        work[i].keep = false;
        work[i].shallow = i > 0 && i - whole < s->reuse && (work[whole].guided || !work[i].guided);
        if (!work[i].shallow)
            whole = i;
        else
            work[whole].keep = true;
    }
}
