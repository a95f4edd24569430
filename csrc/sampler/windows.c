#include "sampler/windows.h"

/* Counting positions through all windows of a step, position p holds frame (p - offset) mod frames. */

static int64_t modulo(int64_t a, int64_t n)
{
    int64_t remainder = a % n;
    return remainder < 0 ? remainder + n : remainder;
}

int64_t sonic_windows_count(const sonic_windows *w) { return (w->frames + w->window - 1) / w->window; }

int64_t sonic_windows_frame(const sonic_windows *w, int64_t index, int64_t place)
{
    return modulo(index * w->window + place - w->offset, w->frames);
}

int64_t sonic_windows_occurrences(const sonic_windows *w, int64_t frame)
{
    int64_t first = modulo(frame + w->offset, w->frames);
    return (sonic_windows_count(w) * w->window - 1 - first) / w->frames + 1;
}

int64_t sonic_windows_run_length(const sonic_windows *w, int64_t index, int64_t place)
{
    int64_t frame = sonic_windows_frame(w, index, place), count = sonic_windows_occurrences(w, frame), run = 1;
    while (place + run < w->window && frame + run < w->frames && sonic_windows_occurrences(w, frame + run) == count)
        run++;
    return run;
}
