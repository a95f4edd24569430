#include "core/library.h"

#include <stddef.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h> /* GetProcAddress */

void *sonic_library_symbol(void *library, const char *name) { return (void *)GetProcAddress(library, name); }

void *sonic_loaded_symbol(const char *file, const char *name)
{
    HMODULE library = GetModuleHandleA(file);
    return library ? sonic_library_symbol(library, name) : NULL;
}
#else
#include <dlfcn.h> /* dlsym */

void *sonic_library_symbol(void *library, const char *name) { return dlsym(library, name); }

void *sonic_loaded_symbol(const char *file, const char *name)
{
    void *library = dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
    void *symbol = library ? sonic_library_symbol(library, name) : NULL;
    if (library)
        dlclose(library);
    return symbol;
}
#endif
