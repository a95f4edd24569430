/* windows.h - which frames the network sees together.
 *
 * A clip of any length is denoised in windows of a fixed number of frames. In every step the windows stand one behind
 * the other, the last one going on at the clip's beginning; from step to step they move back by `shift` frames, so that
 * no border stays where it was (Ji et al., "Sonic", CVPR 2025, section 3.4). A clip shorter than a window stands in it
 * more than once. Frames that were computed more than once are averaged. */
#ifndef SONIC_SAMPLER_WINDOWS_H
#define SONIC_SAMPLER_WINDOWS_H

#include "sonic.h"

typedef struct sonic_windows {
    int64_t frames; /* of the clip, 1 or more */
    int64_t window; /* frames of a window, 1 or more */
    int64_t offset; /* by how many frames the windows have moved: shift times the number of the step */
} sonic_windows;

int64_t sonic_windows_count(const sonic_windows *windows);

/* The frame of the clip at place `place` of window `index`, 0 .. frames - 1. */
int64_t sonic_windows_frame(const sonic_windows *windows, int64_t index, int64_t place);

/* In how many places `frame` stands, all windows together; 1 or more. */
int64_t sonic_windows_places(const sonic_windows *windows, int64_t frame);

/* How many places of window `index` from `place` on hold frames that follow each other in the clip and stand in equally
 * many places. */
int64_t sonic_windows_run(const sonic_windows *windows, int64_t index, int64_t place);

#endif
