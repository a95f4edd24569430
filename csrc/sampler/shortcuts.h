/* shortcuts.h - which parts of the work a step leaves out, for speed at the price of exactness.
 *
 * Guidance in an interval of noise levels alone (Kynkaanniemi et al., "Applying Guidance in a Limited Interval Improves
 * Sample and Distribution Quality in Diffusion Models", NeurIPS 2024): elsewhere the branch with image and audio is the
 * only one that is computed. Deep features reused from step to step (Ma et al., "DeepCache", CVPR 2024): the step
 * after a whole one computes the network's last layer alone. */
#ifndef SONIC_SAMPLER_SHORTCUTS_H
#define SONIC_SAMPLER_SHORTCUTS_H

#include <stdbool.h>

#include "sonic.h"

typedef struct sonic_shortcuts {
    double guidance_low,
        guidance_high; /* noise levels between which guidance acts, both included; 0 and INFINITY: all */
    int32_t reuse;     /* steps that share deep features: 1 is none */
} sonic_shortcuts;

typedef struct sonic_step_work {
    bool guided;  /* all branches of the guidance, else the last alone */
    bool shallow; /* only the last layer, with the features of the last step that kept them */
    bool keep;    /* the next step is shallow and takes this one's features */
} sonic_step_work;

/* SONIC_ERROR_ARGUMENT for NaN, an interval that ends before it begins, or reuse outside 1 to steps_max. */
sonic_status sonic_shortcuts_check(const sonic_shortcuts *shortcuts, int32_t steps_max);

/* work [steps], of noise levels sigmas [steps]. A step is shallow only if the step whose features it takes had its
 * branches, so a run of shallow steps ends where guidance begins. */
void sonic_shortcuts_plan(sonic_step_work *work, const float *sigmas, int32_t steps, const sonic_shortcuts *shortcuts);

#endif
