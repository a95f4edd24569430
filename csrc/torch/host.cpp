// Tensors to and from host memory, and checks of their values.
#include <cmath>   // std::isfinite
#include <cstring> // memcpy

#include "torch/internal.h"

using sonic::Call;

static AtenTensorHandle allocate(sonic_scope *scope, sonic_shape shape, int32_t dtype)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS], count = sonic::contiguous_strides(shape, strides);
    AtenTensorHandle handle = nullptr;
    if (aoti_torch_empty_strided(shape.dims, shape.size, strides, dtype, aoti_torch_device_type_cpu(), 0, &handle)) {
        sonic_scope_fail(
            scope, sonic_fail(SONIC_ERROR_MEMORY,
                              "Use a smaller picture or close other programs: %lld numbers do not fit in memory. %s",
                              (long long)count, sonic::torch_message()));
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

sonic_tensor *st_zeros_on(sonic_scope *scope, sonic_shape shape, const sonic_tensor *like)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS];
    sonic::contiguous_strides(shape, strides);
    sonic_tensor *x =
        sonic::empty_strided(scope, "a tensor of zeros", shape, strides, aoti_torch_dtype_float32(), like);
    if (x)
        aoti_torch_zero_(x->handle);
    return x;
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

bool st_has_values(const sonic_scope *scope, const sonic_tensor *x) { return x && !sonic::is_dry_run(scope, x); }

// NaN propagates through both, and neither can overflow as a sum can.
sonic_tensor *st_extremes(sonic_scope *scope, sonic_tensor *x)
{
    sonic_tensor *parts[2] = {nullptr, nullptr};
    const char *const names[2] = {"aten::amax", "aten::amin"};
    for (int i = 0; i < 2; i++) {
        sonic_tensor *extreme = Call(scope, names[i]).tensor(x).ints({}).boolean(false).run();
        parts[i] = st_take(st_reshape(scope, st_take(extreme), st_shape1(1)));
    }
    return st_to_dtype(scope, st_take(st_cat(scope, parts, 2, 0)), SONIC_DTYPE_FLOAT32);
}

bool st_is_finite(sonic_scope *scope, sonic_tensor *x)
{
    if (st_count(x) == 0 || !st_has_values(scope, x))
        return true;
    float values[2] = {0, 0};
    sonic_tensor *extremes = st_extremes(scope, x);
    sonic_status status = st_to_host(scope, values, 2, extremes);
    st_release(extremes);
    return status != SONIC_OK || (std::isfinite(values[0]) && std::isfinite(values[1]));
}
