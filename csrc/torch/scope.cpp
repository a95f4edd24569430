// Scopes and the life of tensors; making them from and copying them to host memory.
#include <cstring>
#include <new>

#include "torch/internal.h"

namespace
{

void unlink(sonic_tensor *x)
{
    if (x->previous)
        x->previous->next = x->next;
    else
        x->scope->first = x->next;
    if (x->next)
        x->next->previous = x->previous;
}

void link(sonic_scope *scope, sonic_tensor *x)
{
    x->scope = scope;
    x->previous = nullptr;
    x->next = scope->first;
    if (scope->first)
        scope->first->previous = x;
    scope->first = x;
}

} // namespace

sonic_tensor *sonic::adopt(sonic_scope *scope, AtenTensorHandle handle, const sonic_tensor *source)
{
    auto *x = new (std::nothrow) sonic_tensor{handle, scope, nullptr, nullptr, nullptr, false, nullptr};
    if (!x) {
        aoti_torch_delete_tensor_object(handle);
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for a tensor's handle."));
        return nullptr;
    }
    link(scope, x);
    if (scope->meter)
        meter_adopt(scope->meter, x, source);
    return x;
}

sonic_tensor *sonic::share(sonic_scope *scope, const sonic_tensor *x)
{
    AtenTensorHandle handle = nullptr;
    if (aoti_torch_new_tensor_handle(x->handle, &handle)) {
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for a tensor's handle."));
        return nullptr;
    }
    return adopt(scope, handle, x);
}

void sonic_scope_open(sonic_scope *scope, sonic_scope *parent)
{
    scope->parent = parent;
    scope->first = nullptr;
    scope->status = parent ? parent->status : SONIC_OK;
    scope->meter = parent ? parent->meter : nullptr;
}

sonic_status sonic_scope_close(sonic_scope *scope)
{
    while (scope->first)
        st_release(scope->first);
    if (scope->parent)
        sonic_scope_fail(scope->parent, scope->status);
    return scope->status;
}

sonic_status sonic_scope_fail(sonic_scope *scope, sonic_status status)
{
    if (scope->status == SONIC_OK)
        scope->status = status;
    return scope->status;
}

sonic_tensor *st_take(sonic_tensor *x)
{
    if (x)
        x->taken = true;
    return x;
}

sonic_tensor *st_return(sonic_scope *scope, sonic_tensor *x)
{
    if (!x || !scope->parent)
        return x;
    unlink(x);
    x->taken = false;
    link(scope->parent, x);
    return x;
}

void st_release(sonic_tensor *x)
{
    if (!x)
        return;
    if (x->scope->meter)
        sonic::meter_release(x->scope->meter, x);
    unlink(x);
    aoti_torch_delete_tensor_object(x->handle);
    delete x;
}

static AtenTensorHandle allocate(sonic_scope *scope, sonic_shape shape, int32_t dtype)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS];
    int64_t step = 1;
    for (int32_t i = shape.dims - 1; i >= 0; i--) {
        strides[i] = step;
        step *= shape.size[i];
    }
    AtenTensorHandle handle = nullptr;
    if (aoti_torch_empty_strided(shape.dims, shape.size, strides, dtype, aoti_torch_device_type_cpu(), 0, &handle)) {
        sonic_scope_fail(
            scope, sonic_fail(SONIC_ERROR_MEMORY,
                              "Use a smaller picture or close other programs: %lld numbers do not fit in memory. %s",
                              (long long)step, sonic::torch_message()));
        return nullptr;
    }
    return handle;
}

static sonic_tensor *from_memory(sonic_scope *scope, const void *data, size_t item_bytes, sonic_shape shape,
                                 int32_t dtype)
{
    if (!sonic::may_run(scope))
        return nullptr;
    AtenTensorHandle handle = allocate(scope, shape, dtype);
    sonic_tensor *x = handle ? sonic::adopt(scope, handle) : nullptr;
    void *target = nullptr;
    if (x && aoti_torch_get_data_ptr(x->handle, &target) == AOTI_TORCH_SUCCESS && st_count(x) > 0)
        memcpy(target, data, (size_t)st_count(x) * item_bytes);
    return x;
}

sonic_tensor *st_from_host(sonic_scope *scope, const float *data, sonic_shape shape)
{
    return from_memory(scope, data, sizeof *data, shape, aoti_torch_dtype_float32());
}

sonic_tensor *st_indices(sonic_scope *scope, const int64_t *values, int64_t count)
{
    return from_memory(scope, values, sizeof *values, st_shape1(count), aoti_torch_dtype_int64());
}

sonic_tensor *st_zeros(sonic_scope *scope, sonic_shape shape)
{
    if (!sonic::may_run(scope))
        return nullptr;
    AtenTensorHandle handle = allocate(scope, shape, aoti_torch_dtype_float32());
    if (handle)
        aoti_torch_zero_(handle);
    return handle ? sonic::adopt(scope, handle) : nullptr;
}

sonic_status st_to_host(sonic_scope *scope, float *out, int64_t count, sonic_tensor *x)
{
    sonic_scope inner;
    sonic_scope_open(&inner, scope);
    sonic_tensor *flat =
        st_contiguous(&inner, sonic::to(&inner, x, aoti_torch_device_type_cpu(), -1, aoti_torch_dtype_float32()));
    void *source = nullptr;
    if (flat && st_count(flat) != count)
        sonic_scope_fail(&inner, sonic_fail(SONIC_ERROR_SHAPE, "a tensor of %lld numbers was read as %lld",
                                            (long long)st_count(flat), (long long)count));
    else if (flat && aoti_torch_get_data_ptr(flat->handle, &source))
        sonic_scope_fail(&inner, sonic_fail(SONIC_ERROR_TORCH, "a tensor has no memory to read"));
    else if (flat)
        memcpy(out, source, (size_t)count * sizeof *out);
    return sonic_scope_close(&inner);
}

void *st_data(const sonic_tensor *x)
{
    int32_t device = -1;
    bool contiguous = false;
    void *data = nullptr;
    if (!x || aoti_torch_get_device_type(x->handle, &device) || aoti_torch_is_contiguous(x->handle, &contiguous))
        return nullptr;
    if (device != aoti_torch_device_type_cpu() || !contiguous || aoti_torch_get_data_ptr(x->handle, &data))
        return nullptr;
    return data;
}

sonic_shape st_shape(const sonic_tensor *x)
{
    sonic_shape shape = {};
    int64_t dims = 0, *sizes = nullptr;
    if (!x || aoti_torch_get_dim(x->handle, &dims) || aoti_torch_get_sizes(x->handle, &sizes) ||
        dims > SONIC_TENSOR_MAX_DIMS)
        return shape;
    shape.dims = (int32_t)dims;
    for (int64_t i = 0; i < dims; i++)
        shape.size[i] = sizes[i];
    return shape;
}

int64_t st_size(const sonic_tensor *x, int32_t dim)
{
    sonic_shape shape = st_shape(x);
    return dim >= 0 && dim < shape.dims ? shape.size[dim] : 0;
}

int64_t st_count(const sonic_tensor *x)
{
    int64_t count = 0;
    return x && aoti_torch_get_numel(x->handle, &count) == AOTI_TORCH_SUCCESS ? count : 0;
}

sonic_dtype st_dtype(const sonic_tensor *x)
{
    int32_t dtype = -1;
    if (x)
        aoti_torch_get_dtype(x->handle, &dtype);
    for (int i = SONIC_DTYPE_FLOAT32; i <= SONIC_DTYPE_INT64; i++)
        if (dtype == sonic::torch_dtype((sonic_dtype)i))
            return (sonic_dtype)i;
    return SONIC_DTYPE_OTHER;
}
