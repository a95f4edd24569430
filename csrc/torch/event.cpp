#include "torch/event.h"

#include <atomic>

#include "core/progress.h"
#include "torch/internal.h"

// Written once, before the first operator.
static std::atomic<const sonic_event_functions *> provided;

void sonic_events_provide(const sonic_event_functions *functions) { provided = functions; }

sonic_event *sonic_event_record(const sonic_tensor *x)
{
    const sonic_event_functions *functions = provided;
    int32_t index = 0;
    if (!functions || !x || st_is_on_host(x) || aoti_torch_get_device_index(x->handle, &index))
        return nullptr;
    return functions->record(index);
}

bool sonic_event_is_past(sonic_event *event)
{
    bool past = true;
    return !event || provided.load()->query(event, false, &past) != SONIC_OK || past;
}

sonic_status sonic_event_wait(sonic_event *event)
{
    sonic_status status = SONIC_OK;
    bool past = !event;
    while (!past && !status) {
        status = provided.load()->query(event, true, &past);
        if (!status && !past)
            status = sonic_progress_poll();
    }
    return status;
}

void sonic_event_free(sonic_event *event)
{
    if (event)
        provided.load()->release(event);
}
