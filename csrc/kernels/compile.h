/* compile.h - the kernels compiled for one card by NVRTC, the compiler that comes with PyTorch for CUDA. */
#ifndef SONIC_KERNELS_COMPILE_H
#define SONIC_KERNELS_COMPILE_H

#include <stddef.h>

#include "sonic.h"

typedef struct sonic_kernel_image {
    void *data; /* for launch.h; free() */
    size_t bytes;
    char *log; /* the compiler's, with registers, spills and shared memory of each kernel; free() */
} sonic_kernel_image;

/* library: handle of NVRTC's library, as from dlopen. architecture: the card's, "sm_86". value: 0 float32, 1 float16,
 * 2 bfloat16. On failure the image is empty but for the log, which may be NULL: SONIC_ERROR_DEVICE. */
sonic_status sonic_kernels_compile(void *library, const char *architecture, int32_t value, sonic_kernel_image *image);

/* The compiler's version; 0 for both numbers when it does not say. */
sonic_status sonic_kernels_compiler_version(void *library, int32_t *major, int32_t *minor);

/* What the image depends on beside the compiler, the architecture and the type of number: the whole source. */
const char *sonic_kernels_source(int32_t part); /* NULL: no further part */

void sonic_kernel_image_free(sonic_kernel_image *image);

#endif
