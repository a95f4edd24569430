#include "torch/optional.h"

#if defined(_WIN32)
#include <windows.h> // GetProcAddress
#else
#include <dlfcn.h> // dlsym
#endif

namespace
{

struct Entry {
    const char *name, *use;
};

const Entry entries[SONIC_TORCH_OPTIONAL_COUNT] = {
    {"torch_exception_get_what_without_backtrace", "PyTorch's own text in error messages, from 2.13 on"},
    {"aoti_torch_addmm_out", "adding a linear layer's result in place, which saves memory"},
};

} // namespace

extern "C" const char *sonic_torch_optional_name(sonic_torch_optional which) { return entries[which].name; }

extern "C" const char *sonic_torch_optional_use(sonic_torch_optional which) { return entries[which].use; }

extern "C" void *sonic_torch_symbol(const char *name)
{
#if defined(_WIN32)
    HMODULE library = GetModuleHandleA("torch_cpu.dll");
    return library ? (void *)GetProcAddress(library, name) : nullptr;
#else
    return dlsym(RTLD_DEFAULT, name);
#endif
}

extern "C" void *sonic_torch_find(sonic_torch_optional which) { return sonic_torch_symbol(entries[which].name); }
