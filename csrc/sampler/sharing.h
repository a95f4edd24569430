/* sharing.h - which of several devices computes a call of the network.
 *
 * Calls are given out in groups of one call a device, because the next samples leave the first device only when its own
 * call is done. Each goes to the device that has had the least work so far, so the rest of a step's calls, when they
 * are no multiple of the devices, falls on other devices in the next step. */
#ifndef SONIC_SAMPLER_SHARING_H
#define SONIC_SAMPLER_SHARING_H

#include <stdbool.h>

#include "torch/tensor.h"

typedef struct sonic_sharing {
    int32_t devices;                 /* 1 to SONIC_DEVICES_MAX */
    int64_t work[SONIC_DEVICES_MAX]; /* given to each so far */
    bool chosen[SONIC_DEVICES_MAX];  /* in this group */
} sonic_sharing;

/* Begins a group of calls. */
void sonic_sharing_begin_group(sonic_sharing *sharing);

/* The device of the group's next call, each one once; `work` is in a unit of the caller. */
int32_t sonic_sharing_choose(sonic_sharing *sharing, int64_t work);

#endif
