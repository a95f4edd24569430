/* os_thread.h - the system's threads, mutexes and conditions: POSIX and Windows. */
#ifndef SONIC_CORE_OS_THREAD_H
#define SONIC_CORE_OS_THREAD_H

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
typedef SRWLOCK sonic_mutex;
typedef CONDITION_VARIABLE sonic_condition;
#define SONIC_MUTEX_INIT SRWLOCK_INIT
#define SONIC_CONDITION_INIT CONDITION_VARIABLE_INIT
#else
#include <pthread.h>
typedef pthread_mutex_t sonic_mutex;
typedef pthread_cond_t sonic_condition;
#define SONIC_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define SONIC_CONDITION_INIT PTHREAD_COND_INITIALIZER
#endif

void sonic_mutex_lock(sonic_mutex *mutex);
void sonic_mutex_unlock(sonic_mutex *mutex);

/* Releases the mutex, sleeps until woken (or without a cause, as POSIX allows), and takes the mutex again. */
void sonic_condition_wait(sonic_condition *condition, sonic_mutex *mutex);
void sonic_condition_wake_one(sonic_condition *condition);
void sonic_condition_wake_all(sonic_condition *condition);

/* Starts a thread that runs `work` until the process ends. It receives no signals, so that handlers run in the
 * program's own threads. Returns 0 when the system refuses. */
int sonic_thread_start(void (*work)(void));

#endif
