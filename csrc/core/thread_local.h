/* thread_local.h - thread-local storage in C11, in C++ and in Microsoft's compiler. */
#ifndef SONIC_CORE_THREAD_LOCAL_H
#define SONIC_CORE_THREAD_LOCAL_H

#if defined(_MSC_VER)
#define SONIC_THREAD_LOCAL __declspec(thread)
#elif defined(__cplusplus)
#define SONIC_THREAD_LOCAL thread_local
#else
#define SONIC_THREAD_LOCAL _Thread_local
#endif

#endif
