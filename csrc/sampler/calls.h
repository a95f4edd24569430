/* calls.h - the calls of the network that devices have been given and have still to do.
 *
 * A device is given work ahead of what it has done: enough to keep it busy, and so little that progress and Cancel are
 * never two calls of a device behind. The host waits for events, never for a copy. */
#ifndef SONIC_SAMPLER_CALLS_H
#define SONIC_SAMPLER_CALLS_H

#include "torch/event.h"

enum { SONIC_CALLS_AHEAD = 2 }; /* of each device */

typedef struct sonic_call_end {
    sonic_event *event;
    int32_t device; /* its place in the list of devices */
} sonic_call_end;

typedef struct sonic_calls {
    sonic_call_end queued[SONIC_CALLS_AHEAD * SONIC_DEVICES_MAX + 1]; /* in the order in which they were given */
    int32_t count, devices;                                           /* devices: how many share the calls */
    int64_t done;
    int32_t failed; /* the device whose event could not be waited for */
} sonic_calls;

/* Counts the calls that the devices have done. */
void sonic_calls_count_done(sonic_calls *calls);

/* Waits until no more than `count` calls are queued. Fails as sonic_event_wait does; then `failed` is the device. */
sonic_status sonic_calls_wait(sonic_calls *calls, int32_t count);

/* A call whose end is `event` was given to a device; NULL: it is done. Waits while too many are queued. */
sonic_status sonic_calls_add(sonic_calls *calls, sonic_event *event, int32_t device);

/* What a run that failed has left. */
void sonic_calls_drop(sonic_calls *calls);

#endif
