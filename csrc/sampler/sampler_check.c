#include "sampler/sampler_check.h"

#include "sampler/guidance.h"
#include "sampler/preview.h"
#include "sampler/schedule.h"

/* False for NaN */
static bool in_range(double value, double low, double high) { return value >= low && value <= high; }

static sonic_status check_settings(const sonic_sampler_settings *s)
{
    const double scales[] = {s->dynamic_scale, s->motion_scale, s->appearance_guidance, s->audio_guidance};
    if (s->window < 1 || s->window > SONIC_UNET_FRAMES_MAX || s->shift < 0 || s->shift > SONIC_UNET_FRAMES_MAX)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Choose windows of 1 to %d frames that move by 0 to %d: got %lld and %lld.",
                          SONIC_UNET_FRAMES_MAX, SONIC_UNET_FRAMES_MAX, (long long)s->window, (long long)s->shift);
    if (s->branches_at_once < 1 || s->branches_at_once > SONIC_GUIDANCE_BRANCHES)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose 1 to %d branches at once: got %d.", SONIC_GUIDANCE_BRANCHES,
                          (int)s->branches_at_once);
    sonic_status status = sonic_shortcuts_check(&s->shortcuts, SONIC_SCHEDULE_STEPS_MAX);
    if (status)
        return status;
    if (!in_range(s->frame_rate_id, 0, SONIC_SAMPLER_FRAME_RATE_ID_MAX))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose a frame rate id from 0 to %d: it is %g.",
                          SONIC_SAMPLER_FRAME_RATE_ID_MAX, s->frame_rate_id);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (!in_range(scales[i], -SONIC_SAMPLER_SCALE_MAX, SONIC_SAMPLER_SCALE_MAX))
            return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose scales and guidance up to %d: one is %g.",
                              SONIC_SAMPLER_SCALE_MAX, scales[i]);
    return SONIC_OK;
}

static sonic_status check_inputs(const sonic_sampler_inputs *in)
{
    sonic_shape noise = st_shape(in->noise), image = st_shape(in->image_latents), buckets = st_shape(in->buckets);
    if (noise.dims != 4 || noise.size[1] != SONIC_LATENT_CHANNELS || noise.size[0] < 1 ||
        noise.size[0] > SONIC_SAMPLER_FRAMES_MAX || st_dtype(in->noise) != SONIC_DTYPE_FLOAT32)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Give the noise as float32 [frames, 4, rows, columns] with 1 to %d frames.",
                          SONIC_SAMPLER_FRAMES_MAX);
    if (image.dims != 4 || image.size[0] != 1 || image.size[1] != SONIC_LATENT_CHANNELS ||
        image.size[2] != noise.size[2] || image.size[3] != noise.size[3])
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Give the portrait's latents as [1, 4, %lld, %lld], the size of the noise.",
                          (long long)noise.size[2], (long long)noise.size[3]);
    if (buckets.dims != 2 || buckets.size[0] != noise.size[0] || buckets.size[1] != 2)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Give the motion buckets as [%lld, 2], one row for each frame of the noise.",
                          (long long)noise.size[0]);
    return SONIC_OK;
}

/* Whether the network was prepared for this clip: `layout` is [branches, 4] (unet_types.h). libtorch checks the others.
 */
static sonic_status check_constants(const sonic_unet_constants *c, int64_t frames)
{
    const int64_t *layout = st_data(c->layout);
    if (!layout || st_dtype(c->layout) != SONIC_DTYPE_INT64 || st_size(c->layout, 0) != SONIC_GUIDANCE_BRANCHES ||
        st_size(c->layout, 1) != 4 || !c->latents)
        return sonic_fail(SONIC_ERROR_ARGUMENT,
                          "Give the constants that unet_prepare made for %d branches with image latents.",
                          SONIC_GUIDANCE_BRANCHES);
    for (int32_t i = 0; i < SONIC_GUIDANCE_BRANCHES; i++)
        for (int32_t rows = 1; rows < 4; rows += 2)
            if (layout[i * 4 + rows] != 1 && layout[i * 4 + rows] != frames)
                return sonic_fail(SONIC_ERROR_SHAPE,
                                  "Give noise for the %lld frames that the network was prepared for: there are %lld.",
                                  (long long)layout[i * 4 + rows], (long long)frames);
    return SONIC_OK;
}

sonic_status sonic_sampler_check(const sonic_sampler_settings *settings, const sonic_sampler_inputs *inputs,
                                 const sonic_sampler_device *devices, int32_t device_count)
{
    sonic_status status = check_settings(settings);
    if (!status)
        status = check_inputs(inputs);
    for (int32_t i = 0; i < device_count && !status; i++)
        status = check_constants(devices[i].constants, st_size(inputs->noise, 0));
    return status;
}
