/* schedule.h - the noise levels of a run, and the coefficients of an Euler step.
 *
 * Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, equation 5, with rho 7 and
 * the range of Stable Video Diffusion; v-prediction as in Salimans and Ho, "Progressive
 * Distillation", 2022. */
#ifndef SONIC_SAMPLER_SCHEDULE_H
#define SONIC_SAMPLER_SCHEDULE_H

#include "sonic.h"

#define SONIC_SCHEDULE_STEPS_MAX 1024

/* sigmas [steps + 1], from 700 down to 0.002, and 0; computed in double. SONIC_ERROR_ARGUMENT unless steps is 1 to
 * SONIC_SCHEDULE_STEPS_MAX. */
sonic_status sonic_schedule_karras(float *sigmas, int32_t steps);

/* The network's timestep for a noise level: ln(sigma) / 4. */
double sonic_schedule_timestep(double sigma);

/* A step from `sigma` to `next` is linear in the latents x and the network's output v. The network reads input * x;
 * then x becomes keep * x + move * v, which equals stay * x + (1 - stay) * clean with the denoised latents `clean`. */
typedef struct sonic_step {
    double input, keep, move, stay;
} sonic_step;

/* sigma > next >= 0 */
sonic_step sonic_schedule_step(double sigma, double next);

#endif
