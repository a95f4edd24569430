/* device.h - where a tensor's memory is, for kernels of our own (kernels/launch.h): every other file works on tensors
 * through operators alone. */
#ifndef SONIC_TORCH_DEVICE_H
#define SONIC_TORCH_DEVICE_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_device {
    int32_t type, index; /* PyTorch's number of the kind of device; index 0 where a kind has one device */
} sonic_device;

/* The device of x; type -1 for NULL. */
sonic_device st_device(const sonic_tensor *x);
/* PyTorch's number for CUDA devices, which is that of ROCm's, too. */
int32_t st_device_type_cuda(void);

/* First byte of a tensor that is contiguous and has values, as an address of its device; NULL for any other. Valid
 * while x exists. */
void *st_device_data(const sonic_scope *scope, const sonic_tensor *x);

/* A contiguous tensor without values on the device of `like`. */
sonic_tensor *st_empty(sonic_scope *scope, sonic_shape shape, sonic_dtype dtype, const sonic_tensor *like);

/* Releases x if it was taken: for functions that read their operand more than once. */
void st_release_taken(sonic_tensor *x);

/* The stream in which PyTorch's operators run on that device in this thread, in *stream; NULL for devices that have
 * none. SONIC_ERROR_TORCH when this PyTorch does not say. */
sonic_status st_current_stream(sonic_device device, void **stream);

#ifdef __cplusplus
}
#endif
#endif
