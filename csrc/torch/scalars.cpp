// Numbers as tensors: libtorch's Scalar arguments do not cross the stable ABI, tensors of one number do.
#include <cstring> // memcpy

#include <torch/csrc/inductor/aoti_torch/generated/c_shim_aten.h> // aoti_torch_aten_full

#include "torch/internal.h"

using sonic::may_run;

// One number in host memory, with 0 or 1 dimensions; `bits` hold it in that dtype. nullptr: out of memory.
static AtenTensorHandle new_number(int64_t dims, int32_t dtype, const void *bits)
{
    const int64_t one = 1;
    AtenTensorHandle handle = nullptr;
    void *data = nullptr;
    if (aoti_torch_empty_strided(dims, &one, &one, dtype, aoti_torch_device_type_cpu(), 0, &handle) ||
        aoti_torch_get_data_ptr(handle, &data))
        return nullptr;
    memcpy(data, bits, aoti_torch_dtype_element_size(dtype));
    return handle;
}

static sonic_tensor *host_number(sonic_scope *scope, int64_t dims, int32_t dtype, const void *bits)
{
    if (!may_run(scope))
        return nullptr;
    AtenTensorHandle handle = new_number(dims, dtype, bits);
    if (!handle) {
        sonic::fail_with_exception(scope, "a number as a tensor");
        return nullptr;
    }
    return st_take(sonic::adopt(scope, handle));
}

sonic_tensor *sonic::scalar(sonic_scope *scope, double value)
{
    AtenTensorHandle handle = nullptr;
    if (!may_run(scope))
        return nullptr;
    if (aoti_torch_scalar_to_tensor_float64(value, &handle)) {
        fail_with_exception(scope, "a number as a tensor");
        return nullptr;
    }
    return st_take(adopt(scope, handle));
}

sonic_tensor *sonic::scalar_like(sonic_scope *scope, double value, const sonic_tensor *x)
{
    AtenTensorHandle handle = nullptr;
    int32_t dtype = 0;
    float single = (float)value;
    sonic_device device = torch_device(x);
    if (scope->status || device.type < 0 || aoti_torch_get_dtype(x->handle, &dtype))
        return nullptr;
    if (device.type == aoti_torch_device_type_cpu() && dtype == aoti_torch_dtype_float32())
        return host_number(scope, 0, dtype, &single);
    if (aoti_torch_aten_full(nullptr, 0, value, &dtype, nullptr, &device.type, device.index, nullptr, &handle)) {
        fail_with_exception(scope, "a number as a tensor");
        return nullptr;
    }
    return st_take(adopt(scope, handle));
}

static sonic_tensor without_scope(AtenTensorHandle handle)
{
    sonic_tensor x = {};
    x.handle = handle;
    return x;
}

// The number 1 in host memory: created once in each dtype that networks compute in, shared, never freed. nullptr:
// create one.
static sonic_tensor *one_in_host_memory(int32_t dtype)
{
    static const float single = 1;
    static const uint16_t half = 0x3c00, brain = 0x3f80;
    static const int32_t dtypes[] = {aoti_torch_dtype_float32(), aoti_torch_dtype_float16(),
                                     aoti_torch_dtype_bfloat16()};
    static sonic_tensor ones[] = {without_scope(new_number(0, dtypes[0], &single)),
                                  without_scope(new_number(0, dtypes[1], &half)),
                                  without_scope(new_number(0, dtypes[2], &brain))};
    for (int i = 0; i < 3; i++)
        if (dtype == dtypes[i] && ones[i].handle)
            return &ones[i];
    return nullptr;
}

static bool on_same_device(const sonic_tensor *a, const sonic_tensor *b)
{
    sonic_device of_a = st_device(a), of_b = st_device(b);
    return of_a.type == of_b.type && of_a.index == of_b.index;
}

// The number 1 on x's device: created once in a call of an operator, whose root scope keeps it; no meter counts it.
// nullptr: create one.
static sonic_tensor *one_of_root(sonic_scope *scope, const sonic_tensor *x)
{
    sonic_dtype dtype = st_dtype(x);
    sonic_scope *root = scope->root;
    int32_t device = st_device(x).index;
    if (scope->status || sonic::is_dry_run(scope, x) || dtype > SONIC_DTYPE_BFLOAT16 || device >= SONIC_DEVICES_MAX)
        return nullptr;
    sonic_tensor **kept = &root->ones[device][dtype];
    if (!*kept) {
        sonic_cost_meter *meter = root->meter;
        root->meter = nullptr;
        *kept = sonic::scalar_like(root, 1.0, x);
        root->meter = meter;
        if (*kept)
            (*kept)->taken = false;
    }
    return *kept && on_same_device(*kept, x) ? *kept : nullptr;
}

sonic_tensor *sonic::one_like(sonic_scope *scope, const sonic_tensor *x)
{
    int32_t dtype = 0;
    if (!x || aoti_torch_get_dtype(x->handle, &dtype))
        return nullptr;
    sonic_tensor *one = st_is_on_host(x) ? one_in_host_memory(dtype) : one_of_root(scope, x);
    return one ? one : scalar_like(scope, 1.0, x);
}

static sonic_tensor *one_as_list()
{
    static const double number = 1;
    static sonic_tensor list = without_scope(new_number(1, aoti_torch_dtype_float64(), &number));
    return list.handle ? &list : nullptr;
}

sonic_tensor *sonic::scalar_list(sonic_scope *scope, double value)
{
    sonic_tensor *shared = value == 1.0 ? one_as_list() : nullptr;
    return shared ? shared : host_number(scope, 1, aoti_torch_dtype_float64(), &value);
}
