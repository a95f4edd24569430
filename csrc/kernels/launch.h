/* launch.h - kernels of our own on a card: loaded through the driver's C interface, and launched on PyTorch's stream.
 *
 * The driver is a library that the process has open (libcuda.so.1, nvcuda.dll); its functions are looked up in it, so
 * the binary needs none of them. Images are what compile.h makes. Loading is done by one thread at a time, before
 * the launches that use it; launches may come from any thread.
 *
 * A device has kernels for one type of number after sonic_kernels_load; until then, and where a tensor does not meet a
 * kernel's constraints, fused.h computes with PyTorch's operators. */
#ifndef SONIC_KERNELS_LAUNCH_H
#define SONIC_KERNELS_LAUNCH_H

#include <stdbool.h>

#include "torch/device.h"

typedef enum sonic_kernel {
    SONIC_KERNEL_GROUP_NORM_SUMS = 0,
    SONIC_KERNEL_GROUP_NORM_APPLY = 1,
    SONIC_KERNEL_GEGLU = 2,
    SONIC_KERNEL_LAYER_NORM = 3,
    SONIC_KERNEL_ADD_SCALED = 4,
    SONIC_KERNEL_COUNT = 5
} sonic_kernel;

enum { SONIC_KERNEL_GRID_Y = 65535 };

/* The name of the function in its source. */
const char *sonic_kernel_name(sonic_kernel kernel);

/* library: handle of the driver's library, as from dlopen. SONIC_ERROR_DEVICE, with a text that says what to do, when
 * it lacks a function or does not start. Loaded kernels are forgotten. */
sonic_status sonic_kernels_use_driver(void *library);

/* Loads an image for one type of number. device.index is below SONIC_DEVICES_MAX. The
 * image of an earlier call is unloaded. */
sonic_status sonic_kernels_load(sonic_device device, sonic_dtype dtype, const void *image);

/* Forgets the kernels of all devices: PyTorch's operators compute from now on. */
void sonic_kernels_unload(void);

bool sonic_kernels_are_loaded(sonic_device device, sonic_dtype dtype);

/* Starts one kernel on PyTorch's stream of the device; arguments is the kernel's struct of arguments.h. */
sonic_status sonic_kernel_launch(sonic_kernel kernel, sonic_device device, sonic_dtype dtype, const void *arguments,
                                 int64_t grid_x, int64_t grid_y);

/* Launches since the process began. */
int64_t sonic_kernel_launches(sonic_kernel kernel);

#endif
