// Reading a tensor's shape, dtype and memory. Uses libtorch alone, so every other file here may use it.
#include "torch/internal.h"

int32_t sonic::torch_dtype(sonic_dtype dtype)
{
    switch (dtype) {
    case SONIC_DTYPE_FLOAT16:
        return aoti_torch_dtype_float16();
    case SONIC_DTYPE_BFLOAT16:
        return aoti_torch_dtype_bfloat16();
    case SONIC_DTYPE_UINT8:
        return aoti_torch_dtype_uint8();
    case SONIC_DTYPE_INT64:
        return aoti_torch_dtype_int64();
    default:
        return aoti_torch_dtype_float32();
    }
}

sonic_device sonic::torch_device(const sonic_tensor *x)
{
    sonic_device device = {-1, 0};
    if (!x || aoti_torch_get_device_type(x->handle, &device.type) ||
        aoti_torch_get_device_index(x->handle, &device.index))
        device.type = -1;
    return device;
}

sonic_device st_device(const sonic_tensor *x)
{
    sonic_device device = sonic::torch_device(x);
    if (device.index < 0)
        device.index = 0;
    return device;
}

bool st_is_on_host(const sonic_tensor *x) { return st_device(x).type == aoti_torch_device_type_cpu(); }

void *st_data(const sonic_tensor *x)
{
    bool contiguous = false;
    void *data = nullptr;
    if (!st_is_on_host(x) || aoti_torch_is_contiguous(x->handle, &contiguous) || !contiguous ||
        aoti_torch_get_data_ptr(x->handle, &data))
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
