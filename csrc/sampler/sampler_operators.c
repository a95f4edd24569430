/* The denoising loop as an operator. */
#include "sampler/sampler.h"
#include "sampler/sampler_operators.h"

#include "models/unet/unet_constants.h"

enum { NUMBERS = 13 };

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

/* tensors: weights; the constants, each called "constants." and its name; "noise", "image_latents", "buckets"
 * (sampler.h). numbers: head dim, steps, window, shift, frame rate id, dynamic scale, motion scale, appearance
 * guidance, audio guidance, branches at once, lowest and highest noise level of guidance, steps that share deep
 * features. Returns the latents. */
static void sonic_sample_operator(sonic_operator_call *call)
{
    sonic_unet *unet;
    sonic_unet_constants constants;
    if (call->number_count != NUMBERS) {
        sonic_scope_fail(call->scope, sonic_fail(SONIC_ERROR_ARGUMENT, "Give sample %d numbers: there are %d.", NUMBERS,
                                                 (int)call->number_count));
        return;
    }
    sonic_sampler_settings settings = settings_from(call->numbers);
    sonic_sampler_inputs inputs = {sonic_operator_tensor(call, "noise"), sonic_operator_tensor(call, "image_latents"),
                                   sonic_operator_tensor(call, "buckets")};
    sonic_unet_constants_each(&constants, find_constant, call);
    if (call->scope->status ||
        sonic_scope_fail(call->scope, sonic_unet_create(&unet, call, "", to_int32(call->numbers[0]))))
        return;
    sonic_operator_return(call, sonic_sampler_run(call->scope, call, unet, &constants, &inputs, &settings));
    sonic_unet_free(unet);
}

const sonic_operator sonic_sampler_operators[] = {
    {"sample", sonic_sample_operator},
    {NULL, NULL},
};
