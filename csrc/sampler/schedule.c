#include "sampler/schedule.h"

#include <math.h>

sonic_status sonic_schedule_karras(float *sigmas, int32_t steps)
{
    const double rho = 7.0, low = pow(0.002, 1.0 / rho), high = pow(700.0, 1.0 / rho);
    if (steps < 1 || steps > SONIC_SCHEDULE_STEPS_MAX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose 1 to %d inference steps: got %d.", SONIC_SCHEDULE_STEPS_MAX,
                          (int)steps);
    for (int32_t i = 0; i < steps; i++)
        sigmas[i] = (float)pow(high + (steps > 1 ? (double)i / (steps - 1) : 0.0) * (low - high), rho);
    sigmas[steps] = 0.0f;
    return SONIC_OK;
}

double sonic_schedule_timestep(double sigma) { return 0.25 * log(sigma); }

/* With c = 1 / sqrt(sigma^2 + 1): clean = c^2 x - sigma c v. */
sonic_step sonic_schedule_step(double sigma, double next)
{
    double c = 1.0 / sqrt(sigma * sigma + 1.0), stay = next / sigma;
    return (sonic_step){c, stay + (1.0 - stay) * c * c, -(1.0 - stay) * sigma * c, stay};
}
