#include "torch/device.h"

#include "torch/internal.h"

#include "core/library.h"

// Loaded where there is a CUDA tensor; the binary itself does not need it.
#if defined(_WIN32)
static const char CUDA_LIBRARY[] = "torch_cuda.dll";
#else
static const char CUDA_LIBRARY[] = "libtorch_cuda.so";
#endif

bool st_computes_on_host(const sonic_scope *scope, const sonic_tensor *x)
{
    if (sonic::is_dry_run(scope, x))
        return !sonic::cost_meter_is_for_gpu(scope->meter);
    return st_is_on_host(x);
}

void *st_device_address(const sonic_scope *scope, const sonic_tensor *x)
{
    void *data = nullptr;
    return x && !sonic::is_dry_run(scope, x) && aoti_torch_get_data_ptr(x->handle, &data) == AOTI_TORCH_SUCCESS
               ? data
               : nullptr;
}

void *st_device_data(const sonic_scope *scope, const sonic_tensor *x)
{
    bool contiguous = false;
    return x && aoti_torch_is_contiguous(x->handle, &contiguous) == AOTI_TORCH_SUCCESS && contiguous
               ? st_device_address(scope, x)
               : nullptr;
}

int64_t st_stride(const sonic_tensor *x, int32_t dim)
{
    int64_t *strides = nullptr;
    return x && dim >= 0 && dim < st_shape(x).dims && aoti_torch_get_strides(x->handle, &strides) == AOTI_TORCH_SUCCESS
               ? strides[dim]
               : 0;
}

int64_t sonic::contiguous_strides(sonic_shape shape, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t i = shape.dims - 1; i >= 0; i--) {
        strides[i] = step;
        step *= shape.size[i];
    }
    return step;
}

sonic_tensor *sonic::empty_strided(sonic_scope *scope, const char *what, sonic_shape shape, const int64_t *strides,
                                   int32_t dtype, const sonic_tensor *like)
{
    AtenTensorHandle handle = nullptr;
    sonic_device device = sonic::torch_device(like);
    if (device.type < 0 || !may_run(scope))
        return nullptr;
    if (aoti_torch_empty_strided(shape.dims, shape.size, strides, dtype, device.type, device.index, &handle)) {
        int64_t count = 1;
        for (int32_t i = 0; i < shape.dims; i++)
            count *= shape.size[i];
        fail_with_exception(scope, what, like, count * (int64_t)aoti_torch_dtype_element_size(dtype));
        return nullptr;
    }
    return adopt(scope, handle);
}

sonic_tensor *st_empty(sonic_scope *scope, sonic_shape shape, sonic_dtype dtype, const sonic_tensor *like)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS];
    sonic::contiguous_strides(shape, strides);
    return sonic::empty_strided(scope, "a tensor", shape, strides, sonic::torch_dtype(dtype), like);
}

sonic_tensor *st_copy_to_device_of(sonic_scope *scope, sonic_tensor *x, const sonic_tensor *like)
{
    int64_t *strides = nullptr;
    if (!x || aoti_torch_get_strides(x->handle, &strides))
        return nullptr;
    sonic_tensor *copy =
        sonic::empty_strided(scope, "a copy", st_shape(x), strides, sonic::torch_dtype(st_dtype(x)), like);
    st_release(sonic::Call(scope, "aten::copy_").tensor(copy).tensor(x).boolean(true).run());
    return scope->status ? nullptr : copy;
}

bool st_is_dense(const sonic_tensor *x)
{
    int64_t *strides = nullptr, last = 0;
    sonic_shape shape = st_shape(x);
    if (!x || st_count(x) == 0 || aoti_torch_get_strides(x->handle, &strides))
        return false;
    for (int32_t i = 0; i < shape.dims; i++)
        last += (shape.size[i] - 1) * strides[i];
    return last + 1 == st_count(x);
}

// `count` dimensions of x's memory, from `offset` values after its first one on.
static sonic_tensor *shown(sonic_scope *scope, sonic_tensor *x, int64_t offset, int64_t count, const int64_t *sizes,
                           const int64_t *strides)
{
    AtenTensorHandle handle = nullptr;
    if (!x || !sonic::may_run(scope))
        return nullptr;
    if (aoti_torch__reinterpret_tensor(x->handle, count, sizes, strides, offset, &handle)) {
        sonic::fail_with_exception(scope, "a view");
        return nullptr;
    }
    return sonic::adopt(scope, handle, x);
}

void st_put(sonic_scope *scope, sonic_tensor *memory, int64_t offset, sonic_tensor *x)
{
    int64_t count = st_count(x), step = 1;
    sonic_tensor *to = shown(scope, memory, offset, 1, &count, &step), *from = shown(scope, x, 0, 1, &count, &step);
    st_release(sonic::Call(scope, "aten::copy_").tensor(to).tensor(from).boolean(true).run());
    st_release(from);
    st_release(to);
}

sonic_tensor *st_at(sonic_scope *scope, sonic_tensor *memory, int64_t offset, const sonic_tensor *x)
{
    int64_t *strides = nullptr;
    sonic_shape shape = st_shape(x);
    if (!x || aoti_torch_get_strides(x->handle, &strides))
        return nullptr;
    return shown(scope, memory, offset, shape.dims, shape.size, strides);
}

sonic_status st_current_stream(sonic_device device, void **stream)
{
    using Function = int32_t (*)(int32_t device_index, void **stream);
    *stream = nullptr;
    if (device.type != aoti_torch_device_type_cuda())
        return SONIC_OK;
    static Function function =
        reinterpret_cast<Function>(sonic_loaded_symbol(CUDA_LIBRARY, "aoti_torch_get_current_cuda_stream"));
    if (function && function(device.index, stream) == AOTI_TORCH_SUCCESS)
        return SONIC_OK;
    return sonic_fail(SONIC_ERROR_TORCH, "Update PyTorch: this one does not name the stream of its operators.");
}
