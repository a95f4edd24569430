/* device.h - where a tensor's memory is, for kernels of our own (kernels/launch.h): every other file works on tensors
 * through operators alone. */
#ifndef SONIC_TORCH_DEVICE_H
#define SONIC_TORCH_DEVICE_H

#include "torch/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether operators on x run on the CPU; in a dry run, whether they are counted as if they did. */
bool st_computes_on_host(const sonic_scope *scope, const sonic_tensor *x);

/* First byte of a tensor that has values, as an address of its device; NULL for any other. Valid while x exists. */
void *st_device_address(const sonic_scope *scope, const sonic_tensor *x);
/* The same for a contiguous tensor alone. */
void *st_device_data(const sonic_scope *scope, const sonic_tensor *x);
/* Elements from one index of a dimension to the next; 0 for NULL or a dimension that x lacks. */
int64_t st_stride(const sonic_tensor *x, int32_t dim);

/* A contiguous tensor without values on the device of `like`. */
sonic_tensor *st_empty(sonic_scope *scope, sonic_shape shape, sonic_dtype dtype, const sonic_tensor *like);

/* A copy of x, with its strides, on the device of `like`. The host does not wait where x lies in pinned memory. */
sonic_tensor *st_copy_to_device_of(sonic_scope *scope, sonic_tensor *x, const sonic_tensor *like);

/* Tensors put side by side into one that is larger: `memory`, one-dimensional and of their dtype. */

/* Whether x's values fill a range of its memory without gaps, in whatever order. */
bool st_is_dense(const sonic_tensor *x);
/* Copies the dense x to the values of `memory` from `offset` on. The host does not wait where x lies in pinned memory.
 */
void st_put(sonic_scope *scope, sonic_tensor *memory, int64_t offset, sonic_tensor *x);
/* What was put there, with the shape and the strides of x: it shows that memory. */
sonic_tensor *st_at(sonic_scope *scope, sonic_tensor *memory, int64_t offset, const sonic_tensor *x);

/* The stream in which PyTorch's operators run on that device in this thread, in *stream; NULL for devices that have
 * none. SONIC_ERROR_TORCH when this PyTorch does not say. */
sonic_status st_current_stream(sonic_device device, void **stream);

#ifdef __cplusplus
}
#endif
#endif
