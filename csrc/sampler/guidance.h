/* guidance.h - classifier-free guidance with two scales (Ji et al., "Sonic", CVPR 2025; Ho and Salimans, 2022).
 *
 * With the outputs u without image and audio, d with the image, c with image and audio, the guided output is
 * v = u + appearance (d - u) + audio (c - d): a weighted sum of the three. A branch of weight 0 is not computed. */
#ifndef SONIC_SAMPLER_GUIDANCE_H
#define SONIC_SAMPLER_GUIDANCE_H

#include "sonic.h"

enum { SONIC_GUIDANCE_BRANCHES = 3 };

/* One call of the network for one window: branches first_branch ... first_branch + branches - 1. */
typedef struct sonic_guidance_call {
    int32_t first_branch, branches;
} sonic_guidance_call;

typedef struct sonic_guidance {
    double weights[SONIC_GUIDANCE_BRANCHES]; /* of u, d and c */
    sonic_guidance_call calls[SONIC_GUIDANCE_BRANCHES];
    int32_t call_count;
} sonic_guidance;

/* at_once: the most branches of one call, 1 to SONIC_GUIDANCE_BRANCHES */
sonic_guidance sonic_guidance_plan(double appearance, double audio, int32_t at_once);

#endif
