/* The UNet as two operators: the constants of a run, and one step of one window. */
#include <stdio.h>

#include "models/unet/unet.h"
#include "models/unet/unet_operators.h"
#include "models/unet/unet_constants.h"

static void return_constant(void *call, const char *name, sonic_tensor **tensor)
{
    (void)name;
    sonic_operator_return(call, *tensor);
}

static void find_constant(void *call, const char *name, sonic_tensor **tensor)
{
    *tensor = sonic_weights_find(((sonic_operator_call *)call)->weights, "constants.%s", name);
}

/* tensors: weights; "image.B", "audio.B" and optionally "image_latents.B" of each branch B = 0, 1, ...; "face_mask".
 * numbers: head dim, branches, rows, columns, window, audio scale.
 * Returns the constants in the order of sonic_unet_constants_each; `latents` only where image latents were given. */
static void sonic_unet_prepare_operator(sonic_operator_call *call)
{
    const double *n = call->numbers;
    if (call->number_count != 6 || n[1] < 1 || n[1] > SONIC_UNET_BRANCHES_MAX) {
        sonic_scope_fail(call->scope,
                         sonic_fail(SONIC_ERROR_ARGUMENT, "Give unet_prepare 6 numbers, with 1 to %d branches.",
                                    SONIC_UNET_BRANCHES_MAX));
        return;
    }
    sonic_unet_conditions in = {0};
    in.branches = (int32_t)n[1], in.rows = (int64_t)n[2], in.columns = (int64_t)n[3], in.window = (int64_t)n[4],
    in.audio_scale = n[5];
    for (int32_t b = 0; b < in.branches; b++) {
        in.image[b] = sonic_operator_tensor(call, "image.%d", (int)b);
        in.audio[b] = sonic_operator_tensor(call, "audio.%d", (int)b);
        in.image_latents[b] = sonic_weights_find(call->weights, "image_latents.%d", (int)b);
    }
    in.face_mask = sonic_operator_tensor(call, "face_mask");
    sonic_unet *unet;
    sonic_unet_constants constants;
    if (call->scope->status || sonic_scope_fail(call->scope, sonic_unet_create(&unet, call, "", (int64_t)n[0])))
        return;
    sonic_unet_prepare(&constants, call->scope, unet, &in);
    sonic_unet_constants_each(&constants, return_constant, call);
    sonic_unet_free(unet);
}

enum { STEP_NUMBERS = 8 };

static sonic_status check_step_numbers(const sonic_operator_call *call, int64_t frames[SONIC_UNET_FRAMES_MAX],
                                       int32_t *count)
{
    *count = call->number_count - STEP_NUMBERS;
    if (*count < 1 || *count > SONIC_UNET_FRAMES_MAX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Give unet_step %d numbers and 1 to %d frames: there are %d numbers.",
                          STEP_NUMBERS, SONIC_UNET_FRAMES_MAX, (int)call->number_count);
    for (int32_t i = 0; i < *count; i++)
        frames[i] = (int64_t)call->numbers[STEP_NUMBERS + i];
    return SONIC_OK;
}

/* tensors: weights; "sample"; perhaps "deep"; the constants, each called "constants." and its name.
 * numbers: head dim, timestep, 3 ids, first branch, branches, options, then the frames of the window.
 * Returns [branches, frames, 4, rows, columns]; with SONIC_UNET_GIVE_DEEP also what "deep" takes. */
static void sonic_unet_step_operator(sonic_operator_call *call)
{
    int64_t frames[SONIC_UNET_FRAMES_MAX];
    int32_t count;
    sonic_unet *unet;
    sonic_unet_constants constants;
    if (sonic_scope_fail(call->scope, check_step_numbers(call, frames, &count)))
        return;
    const double *n = call->numbers;
    sonic_unet_step step = {sonic_operator_tensor(call, "sample"),
                            frames,
                            count,
                            n[1],
                            {n[2], n[3], n[4]},
                            (int32_t)n[5],
                            (int32_t)n[6],
                            (unsigned)n[7],
                            sonic_weights_find(call->weights, "deep"),
                            NULL};
    sonic_tensor *deep = NULL;
    step.deep_out = step.options & SONIC_UNET_GIVE_DEEP ? &deep : NULL;
    sonic_unet_constants_each(&constants, find_constant, call);
    if (call->scope->status || sonic_scope_fail(call->scope, sonic_unet_create(&unet, call, "", (int64_t)n[0])))
        return;
    sonic_operator_return(call, sonic_unet_run(call->scope, unet, &constants, &step));
    if (step.deep_out)
        sonic_operator_return(call, deep);
    sonic_unet_free(unet);
}

const sonic_operator sonic_unet_operators[] = {
    {"unet_prepare", sonic_unet_prepare_operator},
    {"unet_step", sonic_unet_step_operator},
    {NULL, NULL},
};
