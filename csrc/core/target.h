/* target.h - the system and the compiler of this build, from the compiler's own macros: nothing has to be passed in, so
 * nothing can be passed in wrongly. sonic_nodes/extension/targets.py has the same names, and what each was tested on.
 */
#ifndef SONIC_TARGET_H
#define SONIC_TARGET_H

#include <limits.h> /* glibc's headers define __GLIBC__, those of musl nothing */

#if defined(__x86_64__) || defined(_M_X64)
#define SONIC_MACHINE_X86_64 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define SONIC_MACHINE_ARM64 1
#endif

/* SYSTEM-MACHINE; "other" where there is no name. */
#if defined(_WIN32) && defined(SONIC_MACHINE_X86_64)
#define SONIC_TARGET "windows-x86_64"
#elif defined(_WIN32) && defined(SONIC_MACHINE_ARM64)
#define SONIC_TARGET "windows-arm64"
#elif defined(__APPLE__) && defined(SONIC_MACHINE_X86_64)
#define SONIC_TARGET "macos-x86_64"
#elif defined(__APPLE__) && defined(SONIC_MACHINE_ARM64)
#define SONIC_TARGET "macos-arm64"
#elif defined(__linux__) && defined(__GLIBC__) && defined(SONIC_MACHINE_X86_64)
#define SONIC_TARGET "linux-x86_64"
#elif defined(__linux__) && defined(__GLIBC__) && defined(SONIC_MACHINE_ARM64)
#define SONIC_TARGET "linux-aarch64"
#elif defined(__linux__) && defined(SONIC_MACHINE_X86_64)
#define SONIC_TARGET "linux-musl-x86_64"
#elif defined(__linux__) && defined(SONIC_MACHINE_ARM64)
#define SONIC_TARGET "linux-musl-aarch64"
#else
#define SONIC_TARGET "other"
#endif

#define SONIC_QUOTED(number) #number
#define SONIC_NUMBER(number) SONIC_QUOTED(number)

/* Name and version. Clang comes first: it defines __GNUC__, too, and on Windows _MSC_VER. */
#if defined(__clang__)
#define SONIC_COMPILER "Clang " __clang_version__
#elif defined(__GNUC__)
#define SONIC_COMPILER "GCC " __VERSION__
#elif defined(_MSC_VER)
#define SONIC_COMPILER "MSVC " SONIC_NUMBER(_MSC_FULL_VER)
#else
#define SONIC_COMPILER "unknown"
#endif

#endif
