#include "torch/copy_stream.h"

#include <atomic>
#include <cstdlib> // calloc, free

#include "torch/internal.h"

// Written once, before the first operator.
static std::atomic<const sonic_stream_functions *> provided;

struct sonic_copy_stream {
    void *stream, *before; // before: while it is entered
};

void sonic_streams_provide(const sonic_stream_functions *functions) { provided = functions; }

static bool has_streams(const sonic_tensor *x, int32_t *index)
{
    return provided.load() && x && !st_is_on_host(x) && aoti_torch_get_device_index(x->handle, index) == 0;
}

sonic_copy_stream *sonic_copy_stream_create(const sonic_tensor *x)
{
    int32_t index = 0;
    void *stream = has_streams(x, &index) ? provided.load()->create(index) : nullptr;
    if (!stream)
        return nullptr;
    auto *made = (sonic_copy_stream *)calloc(1, sizeof(sonic_copy_stream));
    if (made)
        made->stream = stream;
    else
        provided.load()->release(stream);
    return made;
}

sonic_status sonic_copy_stream_enter(sonic_copy_stream *stream)
{
    return stream ? provided.load()->enter(stream->stream, &stream->before) : SONIC_OK;
}

sonic_status sonic_copy_stream_leave(sonic_copy_stream *stream)
{
    return stream ? provided.load()->leave(stream->before) : SONIC_OK;
}

void sonic_copy_stream_free(sonic_copy_stream *stream)
{
    if (!stream)
        return;
    provided.load()->release(stream->stream);
    free(stream);
}

sonic_status sonic_event_hold(const sonic_tensor *x, sonic_event *event)
{
    int32_t index = 0;
    return event && has_streams(x, &index) ? provided.load()->hold(index, event) : SONIC_OK;
}
