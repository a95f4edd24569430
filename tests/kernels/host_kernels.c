/* The kernels in C, where blocks and threads are loops: what a card must compute, and what the fake driver runs.
 * Compiled once for each SONIC_VALUE, whose number the function's name ends in. */
#include <string.h>

#include "kernels/add_scaled.cu"
#include "kernels/geglu.cu"
#include "kernels/group_norm.cu"
#include "kernels/layer_norm.cu"

#define HOST_RUN_(number) host_kernel_run_##number
#define HOST_RUN(number) HOST_RUN_(number)

int HOST_RUN(SONIC_VALUE)(const char *name, const void *arguments, long long grid_x, long long grid_y);

#define RUN(kernel, type)                                                                                              \
    if (strcmp(name, #kernel) == 0) {                                                                                  \
        for (long long i = 0; i < grid_x * grid_y; i++)                                                                \
            kernel(*(const type *)arguments, i % grid_x, i / grid_x);                                                  \
        return 1;                                                                                                      \
    }

/* Returns 0 if there is no kernel of that name. */
int HOST_RUN(SONIC_VALUE)(const char *name, const void *arguments, long long grid_x, long long grid_y)
{
    RUN(group_norm_sums, group_norm_arguments)
    RUN(group_norm_apply, group_norm_arguments)
    RUN(geglu, geglu_arguments)
    RUN(layer_norm, layer_norm_arguments)
    RUN(add_scaled, add_scaled_arguments)
    return 0;
}
