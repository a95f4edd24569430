/* Why not libtorch's loops: they run on OpenMP, whose threads spin in barriers. Beside other programs that hold the
 * cores a loop of 0.1 ms costs many times its work in CPU time, and waits for threads that do not run. Here the caller
 * starts at once, the pool takes what is left, and no thread spins. bench/busy.py measures it. */
#include "core/thread_pool.h"

#include "core/os_thread.h"
#include "core/thread_local.h"

/* More ranges than threads: a thread that loses its core holds up the loop by one range. */
enum { RANGES_PER_THREAD = 4, THREADS_MAX = 256 };

typedef struct loop {
    int64_t count, range, next; /* the first index that no thread has taken */
    sonic_range_fn work;
    void *context;
    int32_t places;  /* threads of the pool that may still join; in the list of `pool` while above 0 */
    int32_t working; /* threads of the pool inside */
    struct loop *following;
} loop;

/* All fields of the pool and of its loops are guarded by `mutex`. */
static struct {
    sonic_mutex mutex;
    sonic_condition offered, left; /* a loop has places; the last thread of the pool left a loop */
    loop *first;
    int32_t threads;
} pool = {SONIC_MUTEX_INIT, SONIC_CONDITION_INIT, SONIC_CONDITION_INIT, NULL, 0};

static SONIC_THREAD_LOCAL int in_loop;

static void close_places(loop *l)
{
    loop **at = &pool.first;
    while (*at && *at != l)
        at = &(*at)->following;
    if (*at)
        *at = l->following;
    l->places = 0;
}

/* With the mutex held; releases it while it works. */
static void take_ranges(loop *l)
{
    while (l->next < l->count) {
        int64_t begin = l->next, end = l->count - begin > l->range ? begin + l->range : l->count;
        l->next = end;
        sonic_mutex_unlock(&pool.mutex);
        l->work(begin, end, l->context);
        sonic_mutex_lock(&pool.mutex);
    }
}

static void serve(void)
{
    in_loop = 1;
    sonic_mutex_lock(&pool.mutex);
    for (;;) {
        loop *l = pool.first;
        if (!l) {
            sonic_condition_wait(&pool.offered, &pool.mutex);
            continue;
        }
        l->working++;
        if (--l->places == 0)
            close_places(l);
        take_ranges(l);
        if (--l->working == 0)
            sonic_condition_wake_all(&pool.left);
    }
}

/* With the mutex held: offers places to `helpers` threads, as far as they can be started. */
static void offer(loop *l, int32_t helpers)
{
    while (pool.threads < helpers && sonic_thread_start(serve))
        pool.threads++;
    l->places = helpers < pool.threads ? helpers : pool.threads;
    if (l->places <= 0)
        return;
    l->following = pool.first;
    pool.first = l;
    for (int32_t i = 0; i < l->places; i++)
        sonic_condition_wake_one(&pool.offered);
}

void sonic_thread_pool_run(int64_t count, int64_t grain, int32_t threads, sonic_range_fn work, void *context)
{
    grain = grain > 0 ? grain : 1;
    int64_t ranges = count > 0 ? (count - 1) / grain + 1 : 0;
    int32_t most = threads < THREADS_MAX ? threads : THREADS_MAX;
    int32_t used = ranges < most ? (int32_t)ranges : most;
    if (count <= 0)
        return;
    if (used < 2 || in_loop) {
        work(0, count, context);
        return;
    }
    int64_t share = (count - 1) / ((int64_t)used * RANGES_PER_THREAD) + 1;
    loop l = {count, share > grain ? share : grain, 0, work, context, 0, 0, NULL};
    in_loop = 1;
    sonic_mutex_lock(&pool.mutex);
    offer(&l, used - 1);
    take_ranges(&l);
    close_places(&l);
    while (l.working > 0)
        sonic_condition_wait(&pool.left, &pool.mutex);
    sonic_mutex_unlock(&pool.mutex);
    in_loop = 0;
}
