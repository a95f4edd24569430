/* The denoising loop as an operator. */
#include <stdio.h>

#include "models/unet/unet_constants.h"
#include "sampler/sampler.h"
#include "sampler/sampler_operators.h"
#include "torch/streamed_weights.h"

enum { NUMBERS = 14 };

/* The network on one device: of the first by its names, of the others by "device.K." and the name. */
typedef struct copy {
    sonic_operator_call call; /* with weights of its own; all else is that of the call */
    sonic_weights *weights;   /* NULL: those of the call */
    sonic_unet *unet;
    sonic_unet_constants constants;
} copy;

static void find_constant(void *call, const char *name, sonic_tensor **tensor)
{
    *tensor = sonic_weights_find(((sonic_operator_call *)call)->weights, "constants.%s", name);
}

/* -1, which every check rejects, for NaN and numbers outside int32 */
static int32_t to_int32(double number) { return number >= 0 && number <= INT32_MAX ? (int32_t)number : -1; }

static sonic_sampler_settings settings_from(const double *n)
{
    sonic_sampler_settings s = {0};
    s.steps = to_int32(n[1]), s.window = to_int32(n[2]), s.shift = to_int32(n[3]), s.frame_rate_id = n[4];
    s.dynamic_scale = n[5], s.motion_scale = n[6], s.appearance_guidance = n[7], s.audio_guidance = n[8],
    s.branches_at_once = to_int32(n[9]);
    s.shortcuts = (sonic_shortcuts){n[10], n[11], to_int32(n[12])};
    return s;
}

/* The network on device `index`, as `device`. */
static sonic_status open_copy(copy *c, sonic_sampler_device *device, sonic_operator_call *call, int32_t index)
{
    char prefix[24] = "";
    sonic_status status = SONIC_OK;
    c->call = *call;
    if (index > 0) {
        snprintf(prefix, sizeof prefix, "device.%d.", (int)index);
        status = sonic_weights_create_part(&c->weights, call->tensors, call->count, call->names, prefix);
        c->call.weights = c->weights;
    }
    status = status ? status : sonic_unet_create(&c->unet, &c->call, "", to_int32(call->numbers[0]));
    if (status)
        return status;
    sonic_unet_constants_each(&c->constants, find_constant, &c->call);
    sonic_tensor *like = sonic_weights_find(c->call.weights, "conv_in.weight");
    *device = (sonic_sampler_device){c->unet, &c->constants, like};
    return sonic_streamed_weights_create(&c->call.streamed, call, prefix, like);
}

static void close_copy(copy *c)
{
    sonic_streamed_weights_free(c->call.streamed);
    sonic_unet_free(c->unet);
    sonic_weights_free(c->weights);
}

/* tensors: weights; the constants, each called "constants." and its name; the same once more for each further device,
 * named "device.1.", "device.2.", ... and that name; "noise", "image_latents", "buckets" (sampler.h). numbers: head
 * dim, steps, window, shift, frame rate id, dynamic scale, motion scale, appearance guidance, audio guidance, branches
 * at once, lowest and highest noise level of guidance, steps that share deep features, devices. Returns the latents. */
static void sonic_sample_operator(sonic_operator_call *call)
{
    copy copies[SONIC_DEVICES_MAX] = {0};
    sonic_sampler_device devices[SONIC_DEVICES_MAX];
    int32_t count = call->number_count == NUMBERS ? to_int32(call->numbers[NUMBERS - 1]) : 0, opened = 0;
    if (count < 1 || count > SONIC_DEVICES_MAX) {
        sonic_scope_fail(call->scope,
                         sonic_fail(SONIC_ERROR_ARGUMENT, "Give sample %d numbers, with 1 to %d devices: there are %d.",
                                    NUMBERS, SONIC_DEVICES_MAX, (int)call->number_count));
        return;
    }
    sonic_sampler_settings settings = settings_from(call->numbers);
    sonic_sampler_inputs inputs = {sonic_operator_tensor(call, "noise"), sonic_operator_tensor(call, "image_latents"),
                                   sonic_operator_tensor(call, "buckets")};
    for (; opened < count && !call->scope->status; opened++)
        sonic_scope_fail(call->scope, open_copy(&copies[opened], &devices[opened], call, opened));
    if (!call->scope->status)
        sonic_operator_return(call, sonic_sampler_run(call->scope, call, devices, count, &inputs, &settings));
    for (int32_t i = 0; i < opened; i++)
        close_copy(&copies[i]);
}

const sonic_operator sonic_sampler_operators[] = {
    {"sample", sonic_sample_operator},
    {NULL, NULL},
};
