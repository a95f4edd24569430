/* library.h - functions of a library that the process has open, by their names. */
#ifndef SONIC_KERNELS_LIBRARY_H
#define SONIC_KERNELS_LIBRARY_H

#include "sonic.h"

typedef struct sonic_library_function {
    const char *name;
    void **address; /* is set */
} sonic_library_function;

/* library: handle as from dlopen or LoadLibrary. SONIC_ERROR_DEVICE names the first function that it lacks, after
 * `remedy`. */
sonic_status sonic_library_functions(void *library, const sonic_library_function *functions, int32_t count,
                                     const char *remedy);

#endif
