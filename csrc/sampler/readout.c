#include "sampler/readout.h"

#include <math.h>
#include <string.h>

/* Extremes of the latents, then the frame: float32 [2 + values of the frame] on the device */
static sonic_tensor *pack(sonic_scope *scope, sonic_tensor *latents, sonic_tensor *frame)
{
    sonic_tensor *extremes = st_extremes(scope, latents);
    if (!frame)
        return extremes;
    sonic_tensor *parts[2] = {st_take(extremes),
                              st_take(st_reshape(scope, st_take(frame), st_shape1(st_count(frame))))};
    return st_cat(scope, parts, 2, 0);
}

void sonic_readout_start(sonic_readout *readout, sonic_scope *scope, sonic_tensor *latents, sonic_tensor *frame,
                         int32_t step)
{
    readout->has_frame = frame != NULL, readout->step = step;
    sonic_tensor *packed = pack(scope, latents, frame);
    readout->host = st_to_host_later(scope, packed);
    if (!readout->host && packed) /* nothing can be pinned: the host waits */
        readout->host = st_to_device_of(scope, packed, st_zeros(scope, st_shape1(1)));
    readout->event = sonic_event_record(packed);
    readout->is_queued = readout->host != NULL;
    st_release(packed);
}

sonic_status sonic_readout_finish(sonic_readout *readout, bool *is_finite, float *pixels, int64_t count)
{
    *is_finite = true;
    sonic_status status = sonic_event_wait(readout->event);
    const float *values = status ? NULL : st_data(readout->host);
    if (values) {
        *is_finite = isfinite(values[0]) && isfinite(values[1]);
        if (readout->has_frame && st_count(readout->host) == count + 2)
            memcpy(pixels, values + 2, (size_t)count * sizeof *pixels);
    }
    sonic_readout_drop(readout);
    return status;
}

void sonic_readout_drop(sonic_readout *readout)
{
    sonic_event_free(readout->event);
    st_release(readout->host);
    readout->event = NULL, readout->host = NULL, readout->is_queued = false;
}
