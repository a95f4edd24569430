#include "torch/cost_meter.h"

#include <algorithm> // std::any_of, std::max
#include <cstring>
#include <cstdlib> // calloc, free

#include "torch/internal.h"

enum { BUCKETS = 1024 };

// Made by calloc: all zeros.
struct sonic_cost_meter {
    sonic_cost_reading reading;
    sonic_scope *root;
    bool for_gpu;
    bool off_host;                      // an operand is on another device than the CPU: CPU memory does not count
    sonic::Memory *by_address[BUCKETS]; // chains
};

namespace
{

// First byte of the storage of x, whatever part of it x shows; 0 on the meta device. In integers: libtorch adds the
// offset of a view also to the null pointer of the meta device, and no arithmetic on that is defined.
uintptr_t address_of(const sonic_tensor *x)
{
    void *data = nullptr;
    int64_t offset = 0;
    int32_t dtype = 0;
    if (aoti_torch_get_data_ptr(x->handle, &data) || !data || aoti_torch_get_storage_offset(x->handle, &offset) ||
        aoti_torch_get_dtype(x->handle, &dtype))
        return 0;
    return (uintptr_t)data - (uintptr_t)offset * aoti_torch_dtype_element_size(dtype);
}

bool on_host(const sonic_tensor *x)
{
    int32_t device = -1;
    aoti_torch_get_device_type(x->handle, &device);
    return device == aoti_torch_device_type_cpu();
}

int64_t product(const sonic_shape &shape, int32_t from)
{
    int64_t count = 1;
    for (int32_t i = from; i < shape.dims; i++)
        count *= shape.size[i];
    return count;
}

// An entry for memory that x is the first to show; nullptr and a failed root scope when memory ran out.
sonic::Memory *new_memory(sonic_cost_meter *meter, const sonic_tensor *x)
{
    auto *memory = (sonic::Memory *)calloc(1, sizeof(sonic::Memory));
    if (!memory)
        sonic_scope_fail(meter->root,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to count a tensor's bytes."));
    else if (!meter->off_host || !on_host(x))
        aoti_torch_get_storage_size(x->handle, &memory->bytes);
    return memory;
}

// Storage is aligned to 64 bytes (c10/core/alignment.h), mapped files to pages.
sonic::Memory **chain_of(sonic_cost_meter *meter, uintptr_t address)
{
    return &meter->by_address[(address >> 6 ^ address >> 16) % BUCKETS];
}

// The memory that x shows: found by address if there is one, else that of `source`, else new. nullptr: as above.
sonic::Memory *memory_of(sonic_cost_meter *meter, const sonic_tensor *x, const sonic_tensor *source)
{
    uintptr_t address = address_of(x);
    if (!address)
        return source && source->memory ? source->memory : new_memory(meter, x);
    sonic::Memory **chain = chain_of(meter, address), *memory = *chain;
    while (memory && memory->address != address)
        memory = memory->next;
    if (memory || !(memory = new_memory(meter, x)))
        return memory;
    memory->address = address;
    memory->next = *chain;
    return *chain = memory;
}

void forget(sonic_cost_meter *meter, sonic::Memory *memory)
{
    for (sonic::Memory **at = memory->address ? chain_of(meter, memory->address) : nullptr; at && *at;
         at = &(*at)->next)
        if (*at == memory) {
            *at = memory->next;
            break;
        }
    free(memory);
}

bool is_contiguous(AtenTensorHandle x)
{
    bool contiguous = false;
    aoti_torch_is_contiguous(x, &contiguous);
    return contiguous;
}

bool same_kind(AtenTensorHandle a, AtenTensorHandle b)
{
    int32_t dtype[2] = {0}, device[2] = {0};
    aoti_torch_get_dtype(a, &dtype[0]), aoti_torch_get_dtype(b, &dtype[1]);
    aoti_torch_get_device_type(a, &device[0]), aoti_torch_get_device_type(b, &device[1]);
    return dtype[0] == dtype[1] && device[0] == device[1];
}

bool same_strides(AtenTensorHandle a, AtenTensorHandle b)
{
    int64_t dims = 0, *sizes = nullptr, *strides[2] = {nullptr, nullptr};
    if (aoti_torch_get_dim(a, &dims) || aoti_torch_get_sizes(a, &sizes) || aoti_torch_get_strides(a, &strides[0]) ||
        aoti_torch_get_strides(b, &strides[1]))
        return false;
    for (int64_t i = 0; i < dims; i++)
        if (sizes[i] > 1 && strides[0][i] != strides[1][i])
            return false;
    return true;
}

// Whether both are channels-last or both are not: decided by the stride of the channels.
bool same_order(const sonic_tensor *a, const sonic_tensor *b)
{
    int64_t *strides[2] = {nullptr, nullptr};
    return aoti_torch_get_strides(a->handle, &strides[0]) || aoti_torch_get_strides(b->handle, &strides[1]) ||
           (strides[0][1] == 1) == (strides[1][1] == 1);
}

bool is_in_place(const char *op) { return op[strlen(op) - 1] == '_'; }

bool is_one_of(const char *op, std::initializer_list<const char *> names)
{
    return std::any_of(names.begin(), names.end(), [&](const char *name) { return strcmp(op, name) == 0; });
}

} // namespace

// Most operators always share or always copy; reshape, contiguous and to() depend on the operand. A reshape without a
// copy is contiguous exactly when the operand is; a copy is always contiguous.
bool sonic::cost_meter_shares_memory(const char *op, const sonic_tensor *x, AtenTensorHandle result)
{
    if (!x)
        return false;
    if (strcmp(op, "aten::reshape") == 0)
        return is_contiguous(x->handle) || !is_contiguous(result);
    if (strcmp(op, "aten::contiguous") == 0)
        return same_strides(x->handle, result);
    if (strcmp(op, "aten::to") == 0)
        return same_kind(x->handle, result);
    return is_in_place(op) ||
           is_one_of(op, {"aten::view", "aten::permute", "aten::transpose", "aten::narrow", "aten::expand"});
}

void sonic::cost_meter_adopt(sonic_cost_meter *meter, sonic_tensor *x, const sonic_tensor *source)
{
    x->memory = memory_of(meter, x, source);
    if (!x->memory || x->memory->handles++ > 0)
        return;
    meter->reading.live_bytes += x->memory->bytes;
    meter->reading.peak_bytes = std::max(meter->reading.peak_bytes, meter->reading.live_bytes);
}

void sonic::cost_meter_release(sonic_cost_meter *meter, sonic_tensor *x)
{
    Memory *memory = x->memory;
    x->memory = nullptr;
    if (!memory || --memory->handles > 0)
        return;
    meter->reading.live_bytes -= memory->bytes;
    forget(meter, memory);
}

static int64_t bytes_of(const sonic_tensor *x)
{
    int32_t dtype = 0;
    return x && aoti_torch_get_dtype(x->handle, &dtype) == AOTI_TORCH_SUCCESS
               ? st_count(x) * (int64_t)aoti_torch_dtype_element_size(dtype)
               : 0;
}

// On a GPU these kernels first copy operands whose memory format differs from the result's.
static void count_layout_copy(sonic_cost_meter *meter, const char *op, const sonic_tensor *x,
                              const sonic_tensor *result)
{
    bool copies = strcmp(op, "aten::group_norm") == 0 ? !is_contiguous(x->handle) : !same_order(x, result);
    if (meter->for_gpu && copies)
        meter->reading.peak_bytes = std::max(meter->reading.peak_bytes, meter->reading.live_bytes + bytes_of(x));
}

void sonic::cost_meter_moved(const sonic_scope *scope, std::initializer_list<const sonic_tensor *> read_and_written)
{
    for (const sonic_tensor *x : read_and_written)
        if (scope->meter)
            scope->meter->reading.moved_bytes += bytes_of(x);
}

void sonic::Operands::add(const sonic_tensor *x)
{
    if (!first)
        first = x;
    else if (!second)
        second = x;
    bytes += bytes_of(x);
}

void sonic::cost_meter_operator(sonic_cost_meter *meter, const char *op, const Operands &operands,
                                const sonic_tensor *result)
{
    sonic_cost_reading &r = meter->reading;
    const sonic_tensor *x = operands.first;
    int64_t outputs = st_count(result);
    if (strncmp(op, "aten::conv", strlen("aten::conv")) ==
        0) // weight [out, in / groups, taps]; transposed [in, out / groups, taps]
        r.convolution_flops +=
            2 * product(st_shape(operands.second), 1) * (strstr(op, "transpose") ? st_count(x) : outputs);
    else if (strcmp(op, "aten::linear") == 0 || strcmp(op, "aten::matmul") == 0 || strcmp(op, "addmm") == 0)
        r.product_flops += 2 * outputs * st_size(x, st_shape(x).dims - 1);
    else if (strcmp(op, "aten::scaled_dot_product_attention") == 0) // q k^T, and the weights times v
        r.attention_flops += 2 * (product(st_shape(x), 0) + outputs) * st_size(operands.second, 2);
    else if (!is_one_of(op, {"aten::empty_like"}) &&
             (is_in_place(op) || !cost_meter_shares_memory(op, x, result->handle)))
        r.moved_bytes += bytes_of(result) + operands.bytes;
    if (is_one_of(op, {"aten::conv2d", "aten::group_norm"}))
        count_layout_copy(meter, op, x, result);
}

sonic_status sonic_cost_meter_create(sonic_cost_meter **out, sonic_scope *root, sonic_tensor *const *operands,
                                     int32_t count, bool for_gpu)
{
    sonic_cost_meter *meter = *out = (sonic_cost_meter *)calloc(1, sizeof(sonic_cost_meter));
    if (!meter)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for a cost meter.");
    meter->root = root;
    meter->for_gpu = for_gpu;
    meter->off_host = std::any_of(operands, operands + count, [](const sonic_tensor *x) { return !on_host(x); });
    for (int32_t i = 0; i < count && !root->status; i++)
        if ((operands[i]->memory = memory_of(meter, operands[i], nullptr))) {
            operands[i]->memory->bytes = 0;
            operands[i]->memory->handles++;
        }
    root->meter = meter;
    return root->status;
}

bool sonic::cost_meter_is_for_gpu(const sonic_cost_meter *meter) { return meter->for_gpu; }

sonic_cost_reading sonic_cost_meter_read(const sonic_cost_meter *meter) { return meter->reading; }

void sonic_cost_meter_free(sonic_cost_meter *meter) { free(meter); }
