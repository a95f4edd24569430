#include "kernels/library.h"

#include "core/library.h"

sonic_status sonic_library_functions(void *library, const sonic_library_function *functions, int32_t count,
                                     const char *remedy)
{
    for (int32_t i = 0; i < count; i++) {
        *functions[i].address = sonic_library_symbol(library, functions[i].name);
        if (!*functions[i].address)
            return sonic_fail(SONIC_ERROR_DEVICE, "%s: it lacks %s.", remedy, functions[i].name);
    }
    return SONIC_OK;
}
