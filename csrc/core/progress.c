#include "core/progress.h"

#include <time.h>

#include "core/thread_local.h"

static SONIC_THREAD_LOCAL sonic_progress *current;

void sonic_progress_begin(sonic_progress *watch)
{
    watch->outer = current;
    current = watch;
}

sonic_status sonic_progress_end(sonic_progress *watch)
{
    for (sonic_progress **at = &current; *at; at = &(*at)->outer)
        if (*at == watch) {
            *at = watch->outer;
            return SONIC_OK;
        }
    return sonic_fail(SONIC_ERROR_ARGUMENT, "End a watch in the thread that began it.");
}

sonic_progress *sonic_progress_current(void) { return current; }

static sonic_status stopped(void)
{
    return sonic_fail(SONIC_ERROR_CANCELLED, "Start again to have the result: the work was stopped.");
}

static sonic_status ask(sonic_progress *watch, const sonic_image *preview)
{
    watch->busy = true;
    watch->stopped = watch->notify(watch->context, watch->done, watch->total, preview) != 0;
    watch->busy = false;
    return watch->stopped ? stopped() : SONIC_OK;
}

/* The wall clock, which C11 has everywhere. When it is set back the next operator asks, and all is well again. */
static bool is_due(sonic_progress *watch)
{
    if (watch->interval_ms <= 0)
        return true;
    struct timespec now = {0};
    timespec_get(&now, TIME_UTC);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, passed = now_ms - watch->asked_ms;
    if (passed >= 0 && passed < watch->interval_ms)
        return false;
    watch->asked_ms = now_ms;
    return true;
}

static sonic_status poll(sonic_progress *watch)
{
    if (watch->busy)
        return SONIC_OK;
    if (watch->stopped)
        return stopped();
    if (++watch->operators == watch->fail_at)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: a test says that operator %lld has no memory.",
                          (long long)watch->fail_at);
    return is_due(watch) ? ask(watch, NULL) : SONIC_OK;
}

sonic_status sonic_progress_poll(void) { return current ? poll(current) : SONIC_OK; }

sonic_status sonic_progress_report(int64_t done, int64_t total, const sonic_image *preview)
{
    sonic_progress *watch = current;
    if (!watch || watch->busy)
        return SONIC_OK;
    if (watch->stopped)
        return stopped();
    watch->done = done, watch->total = total;
    return ask(watch, preview);
}
