#include "torch/meter.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <unordered_map>

#include "torch/internal.h"

namespace {

struct Memory {
    int64_t handles, bytes; // bytes 0: an operand's
};

// The first byte of the memory behind x, whatever part of it x shows; nullptr when it has none.
const void *memory_of(const sonic_tensor *x)
{
    void *data = nullptr;
    int64_t offset = 0;
    int32_t dtype = 0;
    if (aoti_torch_get_data_ptr(x->handle, &data) || !data || aoti_torch_get_storage_offset(x->handle, &offset) || aoti_torch_get_dtype(x->handle, &dtype))
        return nullptr;
    return (const char *)data - offset * (int64_t)aoti_torch_dtype_element_size(dtype);
}

int64_t product(const sonic_shape &shape, int32_t from)
{
    int64_t count = 1;
    for (int32_t i = from; i < shape.dims; i++)
        count *= shape.size[i];
    return count;
}

} // namespace

struct sonic_meter {
    sonic_meter_reading reading = {};
    std::unordered_map<const void *, Memory> memories;
};

void sonic::meter_adopt(sonic_meter *meter, const sonic_tensor *x)
{
    const void *address = memory_of(x);
    if (!address)
        return;
    Memory &memory = meter->memories.try_emplace(address, Memory{0, 0}).first->second;
    if (memory.handles++ == 0) {
        aoti_torch_get_storage_size(x->handle, &memory.bytes);
        meter->reading.live_bytes += memory.bytes;
        meter->reading.peak_bytes = std::max(meter->reading.peak_bytes, meter->reading.live_bytes);
    }
}

void sonic::meter_release(sonic_meter *meter, const sonic_tensor *x)
{
    auto found = meter->memories.find(memory_of(x));
    if (found == meter->memories.end() || --found->second.handles > 0)
        return;
    meter->reading.live_bytes -= found->second.bytes;
    meter->memories.erase(found);
}

void sonic::meter_operation(sonic_meter *meter, const char *op, const sonic_tensor *const *operands, const sonic_tensor *result)
{
    sonic_meter_reading &r = meter->reading;
    int64_t outputs = st_count(result);
    if (strncmp(op, "aten::conv", strlen("aten::conv")) == 0) // weight [out, in / groups, taps]; transposed [in, out / groups, taps]
        r.convolution_flops += 2 * product(st_shape(operands[1]), 1) * (strstr(op, "transpose") ? st_count(operands[0]) : outputs);
    else if (strcmp(op, "aten::linear") == 0 || strcmp(op, "aten::matmul") == 0 || strcmp(op, "addmm") == 0)
        r.product_flops += 2 * outputs * st_size(operands[0], st_shape(operands[0]).dims - 1);
    else if (strcmp(op, "aten::scaled_dot_product_attention") == 0) // q k^T, and the weights times v
        r.attention_flops += 2 * (product(st_shape(operands[0]), 0) + outputs) * st_size(operands[1], 2);
}

sonic_status sonic_meter_create(sonic_meter **out, sonic_scope *root, sonic_tensor *const *operands, int32_t count)
{
    *out = new (std::nothrow) sonic_meter;
    if (!*out)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for a meter.");
    for (int32_t i = 0; i < count; i++)
        if (const void *address = memory_of(operands[i]))
            (*out)->memories.try_emplace(address, Memory{0, 0}).first->second.handles++;
    root->meter = *out;
    return SONIC_OK;
}

sonic_meter_reading sonic_meter_read(const sonic_meter *meter) { return meter->reading; }

void sonic_meter_free(sonic_meter *meter) { delete meter; }
