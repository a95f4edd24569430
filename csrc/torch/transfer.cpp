// Tensors between devices, and between a device and host memory.
#include <cstring> // memcpy

#include "torch/event.h"
#include "torch/internal.h"

using sonic::Call;

// A Device is passed as its index in the low and its type in the high half (stableivalue_conversions.h).
static int64_t device_bits(int32_t type, int32_t index)
{
    return (int64_t)((uint64_t)(uint32_t)index | (uint64_t)(uint32_t)type << 32);
}

static sonic_tensor *copy(sonic_scope *scope, sonic_tensor *x, int32_t type, int32_t index, int32_t dtype, bool at_once)
{
    return Call(scope, "aten::to", "device")
        .tensor(x)
        .integer(device_bits(type, index))
        .integer(dtype)
        .boolean(at_once)
        .boolean(false)
        .none()
        .run();
}

sonic_tensor *sonic::to(sonic_scope *scope, sonic_tensor *x, int32_t device_type, int32_t device_index, int32_t dtype)
{
    return copy(scope, x, device_type, device_index, dtype, false);
}

enum { PINNED_BYTES_MAX = 16 << 20 }; // PyTorch keeps pinned memory, and the system cannot swap it

// Uninitialised; nullptr where there is none to be had.
static AtenTensorHandle pinned_memory(const sonic_tensor *like, int32_t dtype)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS];
    AtenTensorHandle handle = nullptr;
    sonic_shape shape = st_shape(like);
    if (sonic::contiguous_strides(shape, strides) * (int64_t)aoti_torch_dtype_element_size(dtype) > PINNED_BYTES_MAX)
        return nullptr;
    return aoti_torch_empty_strided_pinned(shape.dims, shape.size, strides, dtype, aoti_torch_device_type_cpu(), 0,
                                           &handle)
               ? nullptr
               : handle;
}

// A copy of the contiguous x in pinned memory, which a device reads by itself; nullptr where x is too large for that or
// there is none to be had. PyTorch does not reuse that memory before the device has read it.
static sonic_tensor *pinned(sonic_scope *scope, const sonic_tensor *x, int32_t dtype)
{
    void *target = nullptr;
    AtenTensorHandle handle = st_data(x) ? pinned_memory(x, dtype) : nullptr;
    if (!handle || aoti_torch_get_data_ptr(handle, &target)) {
        if (handle)
            aoti_torch_delete_tensor_object(handle);
        return nullptr;
    }
    memcpy(target, st_data(x), (size_t)st_count(x) * aoti_torch_dtype_element_size(dtype));
    return sonic::adopt(scope, handle);
}

// From host memory. A copy of memory that is not pinned would wait until the device has done all that it was given, and
// one that converts goes through memory that is not pinned: the host converts.
static sonic_tensor *upload(sonic_scope *outer, sonic_tensor *x, int32_t type, int32_t index, int32_t dtype)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *host =
        st_contiguous(&s, st_take(sonic::to(&s, x, aoti_torch_device_type_cpu(), -1, dtype))); // releases a taken x
    sonic_tensor *ready = s.status || st_count(host) == 0 ? nullptr : pinned(&s, host, dtype);
    sonic_tensor *y = ready ? copy(&s, ready, type, index, dtype, true) : copy(&s, host, type, index, dtype, false);
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : nullptr;
}

static sonic_tensor *to_device_of(sonic_scope *scope, sonic_tensor *x, const sonic_tensor *like, int32_t dtype)
{
    if (scope->status || !x || !like)
        return nullptr;
    sonic_device device = sonic::torch_device(like);
    bool up = st_is_on_host(x) && !st_is_on_host(like) && device.type != aoti_torch_device_type_meta();
    return (up ? upload : sonic::to)(scope, x, device.type, device.index, dtype);
}

sonic_tensor *st_to_device_of(sonic_scope *scope, sonic_tensor *x, sonic_tensor *like)
{
    int32_t dtype = 0;
    if (x)
        aoti_torch_get_dtype(x->handle, &dtype);
    return to_device_of(scope, x, like, dtype);
}

sonic_tensor *st_cast_like(sonic_scope *scope, sonic_tensor *x, sonic_tensor *like)
{
    int32_t dtype = 0;
    if (like)
        aoti_torch_get_dtype(like->handle, &dtype);
    return to_device_of(scope, x, like, dtype);
}

sonic_tensor *st_to_host_later(sonic_scope *scope, sonic_tensor *x)
{
    if (scope->status || !x || st_is_on_host(x) || !st_has_values(scope, x))
        return nullptr;
    AtenTensorHandle handle = pinned_memory(x, aoti_torch_dtype_float32());
    sonic_tensor *host = handle ? sonic::adopt(scope, handle) : nullptr;
    sonic_tensor *source = st_contiguous(scope, st_take(st_to_dtype(scope, x, SONIC_DTYPE_FLOAT32)));
    if (host && source)
        st_release(Call(scope, "aten::copy_").tensor(host).tensor(source).boolean(true).run());
    st_release(source);
    return scope->status ? nullptr : host;
}
