#include "kernels/library.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h> /* GetProcAddress */
static void *symbol(void *library, const char *name) { return (void *)GetProcAddress(library, name); }
#else
#include <dlfcn.h> /* dlsym */
static void *symbol(void *library, const char *name) { return dlsym(library, name); }
#endif

sonic_status sonic_library_functions(void *library, const sonic_library_function *functions, int32_t count,
                                     const char *remedy)
{
    for (int32_t i = 0; i < count; i++) {
        *functions[i].address = symbol(library, functions[i].name);
        if (!*functions[i].address)
            return sonic_fail(SONIC_ERROR_DEVICE, "%s: it lacks %s.", remedy, functions[i].name);
    }
    return SONIC_OK;
}
