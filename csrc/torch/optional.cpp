#include "torch/optional.h"

#include <torch/csrc/stable/c/shim.h> // torch_get_num_threads

#if !defined(_WIN32)
#include <dlfcn.h> // dladdr
#endif

#include "core/library.h"

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

// A process may hold several libraries of OpenMP: libtorch's own is asked for.
extern "C" void *sonic_torch_symbol(const char *name)
{
#if defined(_WIN32)
    void *found = sonic_loaded_symbol("torch_cpu.dll", name);
    return found ? found : sonic_loaded_symbol("libiomp5md.dll", name);
#else
    Dl_info torch;
    bool known = dladdr(reinterpret_cast<void *>(&torch_get_num_threads), &torch) && torch.dli_fname;
    return known ? sonic_loaded_symbol(torch.dli_fname, name) : nullptr;
#endif
}

extern "C" void *sonic_torch_find(sonic_torch_optional which) { return sonic_torch_symbol(entries[which].name); }
