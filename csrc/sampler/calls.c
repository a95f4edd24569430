#include "sampler/calls.h"

void sonic_calls_count_done(sonic_calls *calls)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < calls->count; i++) {
        sonic_call_end end = calls->queued[i];
        if (sonic_event_is_past(end.event)) {
            sonic_event_free(end.event);
            calls->done++;
        } else
            calls->queued[kept++] = end;
    }
    calls->count = kept;
}

sonic_status sonic_calls_wait(sonic_calls *calls, int32_t count)
{
    sonic_status status = SONIC_OK;
    while (!status && calls->count > count) {
        calls->failed = calls->queued[0].device;
        status = sonic_event_wait(calls->queued[0].event);
        if (!status)
            sonic_calls_count_done(calls);
    }
    return status;
}

sonic_status sonic_calls_add(sonic_calls *calls, sonic_event *event, int32_t device)
{
    if (!event) {
        calls->done++;
        return SONIC_OK;
    }
    calls->queued[calls->count++] = (sonic_call_end){event, device};
    return sonic_calls_wait(calls, SONIC_CALLS_AHEAD * calls->devices);
}

void sonic_calls_drop(sonic_calls *calls)
{
    for (int32_t i = 0; i < calls->count; i++)
        sonic_event_free(calls->queued[i].event);
    calls->count = 0;
}
