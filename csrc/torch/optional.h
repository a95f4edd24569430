/* optional.h - functions of libtorch that the binary can do without. They are looked up by name at run time, because
 * PyTorch 2.10 and some builds lack them. `sonic doctor` lists them with their use. */
#ifndef SONIC_TORCH_OPTIONAL_H
#define SONIC_TORCH_OPTIONAL_H

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sonic_torch_optional {
    SONIC_TORCH_MESSAGE = 0,
    SONIC_TORCH_ADDMM = 1,
    SONIC_TORCH_OPTIONAL_COUNT = 2
} sonic_torch_optional;

/* The function's address in the libtorch of this process, or NULL. */
void *sonic_torch_find(sonic_torch_optional which);

/* Any other function of libtorch, or of the OpenMP and MKL that it computes with; NULL: absent. */
void *sonic_torch_symbol(const char *name);

/* Its name, and what it is used for. */
const char *sonic_torch_optional_name(sonic_torch_optional which);
const char *sonic_torch_optional_use(sonic_torch_optional which);

#ifdef __cplusplus
}
#endif
#endif
