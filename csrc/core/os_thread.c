#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L /* pthread_sigmask: -std=c11 hides POSIX */
#endif
#include "core/os_thread.h"

#include <stdlib.h>

enum { STACK_BYTES = 4 << 20 }; /* macOS gives new threads 512 KiB */

/* A function pointer does not fit into a void pointer in standard C. */
typedef struct start {
    void (*work)(void);
} start;

#if defined(_WIN32)

void sonic_mutex_lock(sonic_mutex *mutex) { AcquireSRWLockExclusive(mutex); }
void sonic_mutex_unlock(sonic_mutex *mutex) { ReleaseSRWLockExclusive(mutex); }
void sonic_condition_wait(sonic_condition *condition, sonic_mutex *mutex)
{
    SleepConditionVariableSRW(condition, mutex, INFINITE, 0);
}
void sonic_condition_wake_one(sonic_condition *condition) { WakeConditionVariable(condition); }
void sonic_condition_wake_all(sonic_condition *condition) { WakeAllConditionVariable(condition); }

static DWORD WINAPI run(void *argument)
{
    start *s = argument;
    void (*work)(void) = s->work;
    free(s);
    work();
    return 0;
}

static int begin(start *s)
{
    HANDLE thread = CreateThread(NULL, STACK_BYTES, run, s, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread)
        CloseHandle(thread);
    return thread != NULL;
}

#else
#include <signal.h> /* pthread_sigmask */

void sonic_mutex_lock(sonic_mutex *mutex) { pthread_mutex_lock(mutex); }
void sonic_mutex_unlock(sonic_mutex *mutex) { pthread_mutex_unlock(mutex); }
void sonic_condition_wait(sonic_condition *condition, sonic_mutex *mutex) { pthread_cond_wait(condition, mutex); }
void sonic_condition_wake_one(sonic_condition *condition) { pthread_cond_signal(condition); }
void sonic_condition_wake_all(sonic_condition *condition) { pthread_cond_broadcast(condition); }

static void *run(void *argument)
{
    start *s = argument;
    void (*work)(void) = s->work;
    free(s);
    work();
    return NULL;
}

static int begin(start *s)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t every, before;
    if (pthread_attr_init(&detached))
        return 0;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, STACK_BYTES);
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before); /* a new thread inherits the mask */
    int failed = pthread_create(&thread, &detached, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return !failed;
}

#endif

int sonic_thread_start(void (*work)(void))
{
    start *s = malloc(sizeof *s);
    if (!s)
        return 0;
    s->work = work;
    if (begin(s))
        return 1;
    free(s);
    return 0;
}
