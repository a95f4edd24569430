#include "torch/device.h"

#include "torch/internal.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h> // GetProcAddress
#else
#include <dlfcn.h> // dlsym
#endif

namespace
{

// libtorch_cuda is loaded where there is a CUDA tensor; the binary itself does not need it.
void *cuda_symbol(const char *name)
{
#if defined(_WIN32)
    HMODULE library = GetModuleHandleA("torch_cuda.dll");
    return library ? reinterpret_cast<void *>(GetProcAddress(library, name)) : nullptr;
#else
    void *library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
    void *symbol = library ? dlsym(library, name) : nullptr;
    if (library)
        dlclose(library);
    return symbol;
#endif
}

} // namespace

sonic_device st_device(const sonic_tensor *x)
{
    sonic_device device = {-1, 0};
    if (!x || aoti_torch_get_device_type(x->handle, &device.type) ||
        aoti_torch_get_device_index(x->handle, &device.index))
        device.type = -1;
    if (device.index < 0)
        device.index = 0;
    return device;
}

int32_t st_device_type_cuda(void) { return aoti_torch_device_type_cuda(); }

bool st_computes_on_host(const sonic_scope *scope, const sonic_tensor *x)
{
    if (sonic::is_dry_run(scope, x))
        return !sonic::cost_meter_is_for_gpu(scope->meter);
    return st_device(x).type == aoti_torch_device_type_cpu();
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

static sonic_tensor *empty_strided(sonic_scope *scope, sonic_shape shape, const int64_t *strides, sonic_dtype dtype,
                                   const sonic_tensor *like)
{
    if (!sonic::may_run(scope) || !like)
        return nullptr;
    int32_t type = -1, index = -1;
    AtenTensorHandle handle = nullptr;
    if (aoti_torch_get_device_type(like->handle, &type) || aoti_torch_get_device_index(like->handle, &index) ||
        aoti_torch_empty_strided(shape.dims, shape.size, strides, sonic::torch_dtype(dtype), type, index, &handle)) {
        sonic::fail_with_exception(scope, "empty");
        return nullptr;
    }
    return sonic::adopt(scope, handle);
}

sonic_tensor *st_empty(sonic_scope *scope, sonic_shape shape, sonic_dtype dtype, const sonic_tensor *like)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS], step = 1;
    for (int32_t i = shape.dims - 1; i >= 0; i--) {
        strides[i] = step;
        step *= shape.size[i];
    }
    return empty_strided(scope, shape, strides, dtype, like);
}

sonic_tensor *st_copy_to_device_of(sonic_scope *scope, sonic_tensor *x, const sonic_tensor *like)
{
    int64_t *strides = nullptr;
    if (!x || aoti_torch_get_strides(x->handle, &strides))
        return nullptr;
    sonic_tensor *copy = empty_strided(scope, st_shape(x), strides, st_dtype(x), like);
    st_release(sonic::Call(scope, "aten::copy_").tensor(copy).tensor(x).boolean(true).run());
    return scope->status ? nullptr : copy;
}

void st_release_taken(sonic_tensor *x)
{
    if (x && x->taken)
        st_release(x);
}

sonic_status st_current_stream(sonic_device device, void **stream)
{
    using Function = int32_t (*)(int32_t device_index, void **stream);
    *stream = nullptr;
    if (device.type != aoti_torch_device_type_cuda())
        return SONIC_OK;
    static Function function = reinterpret_cast<Function>(cuda_symbol("aoti_torch_get_current_cuda_stream"));
    if (function && function(device.index, stream) == AOTI_TORCH_SUCCESS)
        return SONIC_OK;
    return sonic_fail(SONIC_ERROR_TORCH, "Update PyTorch: this one does not name the stream of its operators.");
}
