/* guidance.h - how the branches of the network become one direction.
 *
 * u sees neither image nor sound, d the image, c image and sound: v = u + appearance (d - u) + audio (c - d), which is
 * a sum of the three with weights of their own. A branch whose weight is 0 is not computed. */
#ifndef SONIC_SAMPLER_GUIDANCE_H
#define SONIC_SAMPLER_GUIDANCE_H

#include "sonic.h"

enum { SONIC_GUIDANCE_BRANCHES = 3 };

typedef struct sonic_guidance_call {
    int32_t first_branch, branches;
} sonic_guidance_call;

typedef struct sonic_guidance {
    double weights[SONIC_GUIDANCE_BRANCHES];
    sonic_guidance_call calls[SONIC_GUIDANCE_BRANCHES]; /* of the network, for one window */
    int32_t call_count;
} sonic_guidance;

/* at_once: branches that one call of the network computes, at most */
sonic_guidance sonic_guidance_plan(double appearance, double audio, int32_t at_once);

#endif
