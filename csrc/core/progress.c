#include "core/progress.h"

#include <time.h> /* timespec_get */

#include "core/thread_local.h"

static SONIC_THREAD_LOCAL sonic_progress *current;

void sonic_progress_begin(sonic_progress *progress)
{
    progress->outer = current;
    current = progress;
}

sonic_status sonic_progress_end(sonic_progress *progress)
{
    for (sonic_progress **at = &current; *at; at = &(*at)->outer)
        if (*at == progress) {
            *at = progress->outer;
            return SONIC_OK;
        }
    return sonic_fail(SONIC_ERROR_ARGUMENT, "End a progress callback in the thread that began it.");
}

sonic_progress *sonic_progress_current(void) { return current; }

static sonic_status cancelled(void)
{
    return sonic_fail(SONIC_ERROR_CANCELLED, "Start again to have the result: the work was cancelled.");
}

static sonic_status notify(sonic_progress *progress, const sonic_image *preview)
{
    progress->busy = true;
    progress->cancelled = progress->notify(progress->context, progress->done, progress->total, preview) != 0;
    progress->busy = false;
    return progress->cancelled ? cancelled() : SONIC_OK;
}

/* By the wall clock, the only one in C11. After it is set back, the next operator notifies. */
static bool is_due(sonic_progress *progress)
{
    if (progress->interval_ms <= 0)
        return true;
    struct timespec now = {0};
    timespec_get(&now, TIME_UTC);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, elapsed = now_ms - progress->notified_ms;
    if (elapsed >= 0 && elapsed < progress->interval_ms)
        return false;
    progress->notified_ms = now_ms;
    return true;
}

static sonic_status poll(sonic_progress *progress)
{
    if (progress->busy)
        return SONIC_OK;
    if (progress->cancelled)
        return cancelled();
    if (++progress->operators == progress->fail_at)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: a test says that operator %lld has no memory.",
                          (long long)progress->fail_at);
    return is_due(progress) ? notify(progress, NULL) : SONIC_OK;
}

sonic_status sonic_progress_poll(void) { return current ? poll(current) : SONIC_OK; }

sonic_status sonic_progress_report(int64_t done, int64_t total, const sonic_image *preview)
{
    sonic_progress *progress = current;
    if (!progress || progress->busy)
        return SONIC_OK;
    if (progress->cancelled)
        return cancelled();
    progress->done = done, progress->total = total;
    return notify(progress, preview);
}
