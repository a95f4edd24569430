/* windows.h - which frames the network processes together.
 *
 * A clip of any length is denoised in windows of a fixed number of frames. In every step the windows follow one another
 * without overlap; the last one wraps around to the clip's start. From step to step they move back by `shift` frames,
 * so that window borders fall on different frames (Ji et al., "Sonic", CVPR 2025, section 3.4). A clip shorter than a
 * window repeats in it. Results of frames that occur more than once in a step are averaged. */
#ifndef SONIC_SAMPLER_WINDOWS_H
#define SONIC_SAMPLER_WINDOWS_H

#include "sonic.h"

typedef struct sonic_windows {
    int64_t frames; /* of the clip, 1 or more */
    int64_t window; /* frames of a window, 1 or more */
    int64_t offset; /* frames by which the windows have moved: shift * step */
} sonic_windows;

/* Windows of a step: frames / window, rounded up. */
int64_t sonic_windows_count(const sonic_windows *windows);

/* The frame of the clip at position `place` of window `index`: 0 .. frames - 1. */
int64_t sonic_windows_frame(const sonic_windows *windows, int64_t index, int64_t place);

/* How often `frame` occurs in all windows of a step, 1 or more. */
int64_t sonic_windows_occurrences(const sonic_windows *windows, int64_t frame);

/* The number of positions of window `index`, from `place` on, whose frames are consecutive in the clip and occur
 * equally often. */
int64_t sonic_windows_run_length(const sonic_windows *windows, int64_t index, int64_t place);

#endif
