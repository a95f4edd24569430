// Operators of their own: allocation, views, copies, and those whose results CUDA lays out in its own way.
#include "simulated.h"

#include <ATen/EmptyTensor.h>
#include <ATen/native/TensorFactories.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

namespace simulated
{

void run_boxed(const c10::OperatorHandle &op, c10::DispatchKeySet, torch::jit::Stack *stack);

namespace
{

using Sizes = c10::SymIntArrayRef;
template <typename Item> using Maybe = std::optional<Item>;

at::Device device_or_current(Maybe<at::Device> device)
{
    at::Device current(KIND, (c10::DeviceIndex)current_device());
    return device && device->has_index() ? *device : current;
}

at::Tensor empty(Sizes size, Maybe<at::ScalarType> dtype, Maybe<at::Layout>, Maybe<at::Device> device, Maybe<bool>,
                 Maybe<at::MemoryFormat> format)
{
    c10::DeviceGuard guard(device_or_current(device));
    return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), allocator,
                                     c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), dtype.value_or(at::kFloat),
                                     format);
}

at::Tensor empty_strided(Sizes size, Sizes stride, Maybe<at::ScalarType> dtype, Maybe<at::Layout>,
                         Maybe<at::Device> device, Maybe<bool>)
{
    c10::DeviceGuard guard(device_or_current(device));
    return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride), allocator,
                                             c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                             dtype.value_or(at::kFloat));
}

at::Tensor as_strided(const at::Tensor &x, Sizes size, Sizes stride, Maybe<c10::SymInt> offset)
{
    return at::native::as_strided_tensorimpl(x, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                             offset ? Maybe<int64_t>(offset->expect_int()) : std::nullopt);
}

at::Tensor view(const at::Tensor &x, Sizes size) { return at::native::view(x, C10_AS_INTARRAYREF_SLOW(size)); }

at::Tensor reshape_alias(const at::Tensor &x, Sizes size, Sizes stride)
{
    return at::native::_reshape_alias(x, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride));
}

at::Tensor unfold(const at::Tensor &x, int64_t dim, int64_t size, int64_t step)
{
    return at::native::unfold(x, dim, size, step);
}

// Copies

// Counts a copy between host memory and a device; whether it is asynchronous. A copy that converts or reorders goes
// through memory that is not pinned.
bool count_copy(const at::Tensor &host, const at::Tensor &there, bool to_device, bool asynchronous)
{
    bool plain = host.scalar_type() == there.scalar_type() && host.is_contiguous() && there.is_contiguous();
    bool late = asynchronous && plain && is_pinned(host.const_data_ptr());
    if (to_device)
        late ? counters.async_to_device++ : counters.blocking_to_device++;
    else
        late ? counters.async_to_host++ : counters.blocking_to_host++;
    return late;
}

at::Tensor copy_from(const at::Tensor &from, const at::Tensor &to, bool asynchronous)
{
    bool device_to_device = on_device(from) && on_device(to);
    at::Device device = on_device(to) ? to.device() : from.device();
    c10::DeviceGuard guard(device);
    bool late = !device_to_device &&
                count_copy(on_device(to) ? from : to, on_device(to) ? to : from, on_device(to), asynchronous);
    bool between = device_to_device && from.device() != to.device();
    if (between)
        check_not_lost(from.device().index()), meet(from.device().index(), to.device().index());
    std::string name = !device_to_device                        ? on_device(to) ? "copy to device" : "copy to host"
                       : between                                ? "copy between devices"
                       : from.scalar_type() != to.scalar_type() ? "copy cast"
                                                                : "copy";
    use(from), use(to);
    record(name + (device_to_device || late ? "" : " (blocking)"), 2ll * (long long)to.nbytes(),
           is_logging() ? shape_text(from) + " ->" + shape_text(to) : "",
           device_to_device ? 0 : (long long)to.nbytes());
    if (between)
        counters.between_devices++, meet(from.device().index(), to.device().index());
    if (late && !on_device(to))
        return copy_later(device.index(), host_view(from), to), to;
    if (!device_to_device && !late)
        wait_for(device.index());
    if (count_only && on_device(to))
        return to;
    host_view(to).copy_(host_view(from));
    return to;
}

at::Tensor copy_from_and_resize(const at::Tensor &from, const at::Tensor &to) { return copy_from(from, to, false); }

at::Scalar local_scalar_dense(const at::Tensor &x)
{
    c10::DeviceGuard guard(x.device());
    record("copy to host (blocking)", (long long)x.itemsize(), is_logging() ? shape_text(x) : "");
    counters.blocking_to_host++;
    wait_for(x.device().index());
    return host_view(x).item();
}

// Networks

bool is_channels_last(const at::Tensor &x)
{
    return x.dim() == 4 && x.suggest_memory_format() == at::MemoryFormat::ChannelsLast;
}

at::Tensor convolution(const at::Tensor &x, const at::Tensor &weight, const Maybe<at::Tensor> &bias, Sizes stride,
                       Sizes padding, Sizes dilation, bool transposed, Sizes output_padding, c10::SymInt groups)
{
    check_not_refused("convolution");
    check_same_device("convolution", {x, weight, bias});
    check_precision("convolution", x);
    c10::DeviceGuard guard(x.device());
    at::Tensor y = at::convolution_symint(operand(x), operand(weight), operand(bias), stride, padding, dilation,
                                          transposed, output_padding, groups);
    bool last = is_channels_last(x) || is_channels_last(weight);
    y = y.contiguous(last && y.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    at::Tensor made = to_device(y, x.device(), !count_only);
    record(bias && bias->defined() ? "convolution and bias" : "convolution",
           (long long)(x.nbytes() + weight.nbytes() + made.nbytes()),
           is_logging() ? shape_text(x) + shape_text(weight) + " ->" + shape_text(made) : "");
    return made;
}

// CUDA first makes its operand contiguous (ATen/native/group_norm.cpp); its result is.
std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm(const at::Tensor &x, const Maybe<at::Tensor> &weight,
                                                          const Maybe<at::Tensor> &bias, c10::SymInt images,
                                                          c10::SymInt channels, c10::SymInt pixels, int64_t groups,
                                                          double epsilon)
{
    check_not_refused("native_group_norm");
    check_same_device("group_norm", {x, weight, bias});
    c10::DeviceGuard guard(x.device());
    at::Tensor flat = x.contiguous(), y = at::empty_like(flat);
    at::Tensor mean = at::empty({images.expect_int(), groups}, x.options()), inverse = at::empty_like(mean);
    if (!count_only) {
        auto made = at::native_group_norm_symint(operand(flat), operand(weight), operand(bias), images, channels,
                                                 pixels, groups, epsilon);
        host_view(y).copy_(std::get<0>(made));
        host_view(mean).copy_(std::get<1>(made));
        host_view(inverse).copy_(std::get<2>(made));
    }
    record("native_group_norm", 3ll * (long long)x.nbytes(), is_logging() ? shape_text(x) : "");
    return {y, mean, inverse};
}

// The flash kernel, for 16 bits and heads of up to 256, lays out its result as the queries; the memory-efficient kernel
// writes [batch, queries, heads, dim]. Both have a row of the grid for each entry of the batch: 65535 at most.
at::Tensor attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const Maybe<at::Tensor> &mask,
                     double dropout, bool causal, Maybe<double> scale, bool grouped)
{
    check_not_refused("scaled_dot_product_attention");
    check_same_device("attention", {q, k, v, mask});
    TORCH_CHECK(q.dim() != 4 || q.size(0) <= 65535, "CUDA error: invalid configuration argument");
    c10::DeviceGuard guard(q.device());
    bool flash = q.scalar_type() != at::kFloat && q.size(-1) <= 256;
    at::Tensor y = flash ? at::empty_like(q)
                         : at::empty({q.size(0), q.size(2), q.size(1), v.size(3)}, q.options()).transpose(1, 2);
    if (!count_only)
        host_view(y).copy_(at::scaled_dot_product_attention(operand(q), operand(k), operand(v), operand(mask), dropout,
                                                            causal, scale, grouped));
    record(flash ? "attention, flash" : "attention, memory-efficient",
           (long long)(q.nbytes() + k.nbytes() + v.nbytes() + y.nbytes()),
           is_logging() ? shape_text(q) + shape_text(k) + shape_text(v) + " ->" + shape_text(y) : "");
    return y;
}

} // namespace

} // namespace simulated

// The last ones would otherwise be taken apart into others before they arrive here.
TORCH_LIBRARY_IMPL(aten, PrivateUse1, library)
{
    library.impl("empty.memory_format", simulated::empty);
    library.impl("empty_strided", simulated::empty_strided);
    library.impl("as_strided", simulated::as_strided);
    library.impl("view", simulated::view);
    library.impl("_reshape_alias", simulated::reshape_alias);
    library.impl("unfold", simulated::unfold);
    library.impl("_copy_from", simulated::copy_from);
    library.impl("_copy_from_and_resize", simulated::copy_from_and_resize);
    library.impl("_local_scalar_dense", simulated::local_scalar_dense);
    library.impl("convolution_overrideable", simulated::convolution);
    library.impl("scaled_dot_product_attention", simulated::attention);
    library.impl("native_group_norm", simulated::group_norm);
    for (const char *name :
         {"native_layer_norm", "_foreach_addcmul_.Tensor", "addcmul_", "silu_", "silu.out", "gelu_", "lerp_.Tensor"})
        library.impl(name, torch::CppFunction::makeFromBoxedFunction<&simulated::run_boxed>());
}

extern "C" {

void simulated_start()
{
    simulated::map_addresses();
    simulated::register_hooks();
}

// For a test of the protection: what a host read of device memory ends in.
int simulated_read_device(const void *address) { return *(const volatile char *)address; }
}
