/* deep_features.h - what enters the network's last layer, kept by frame of the clip for the steps that share it
 * (shortcuts.h). */
#ifndef SONIC_SAMPLER_DEEP_FEATURES_H
#define SONIC_SAMPLER_DEEP_FEATURES_H

#include "models/unet/unet.h"
#include "sampler/guidance.h"
#include "sampler/windows.h"

typedef struct sonic_deep_features {
    sonic_tensor *branch[SONIC_GUIDANCE_BRANCHES]; /* [frames, tokens, channels], of the last step that kept them */
} sonic_deep_features;

/* Keeps features [branches, window, tokens, channels] of window `index`, whose frames are order [window], for the
 * branches of `step`. Of a frame that occurs twice in a step, the last remain. Memory belongs to `run`. */
void sonic_deep_keep(sonic_deep_features *deep, sonic_scope *run, sonic_scope *scope, const sonic_windows *windows,
                     int64_t index, const int64_t *order, const sonic_unet_step *step, sonic_tensor *features);

/* The kept features of a window: [branches, window, tokens, channels]; order: its frames as an int64 tensor. */
sonic_tensor *sonic_deep_window(const sonic_deep_features *deep, sonic_scope *scope, int64_t window,
                                const sonic_unet_step *step, sonic_tensor *order);

#endif
