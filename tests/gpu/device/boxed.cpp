// Every operator without a kernel of its own: CUDA's rules for operands, then the CPU's kernel on the readable twins.
#include "simulated.h"

#include <set>

#include <torch/library.h>

namespace simulated
{

at::Tensor host_view(const at::Tensor &x)
{
    if (!on_device(x))
        return x;
    at::AutoDispatchBelowADInplaceOrView below;
    auto options = x.options().device(at::kCPU);
    char *base = (char *)host_address(x.storage().data());
    if (!base || x.numel() == 0)
        return at::empty_strided(x.sizes(), x.strides(), options);
    char *first = base + x.storage_offset() * (int64_t)x.itemsize();
    return at::from_blob(first, x.sizes(), x.strides(), [](void *) {}, options);
}

at::Tensor as_meta(const at::Tensor &x)
{
    if (!x.defined() || (!on_device(x) && x.dim() == 0))
        return x;
    return at::empty_strided(x.sizes(), x.strides(), x.options().device(at::kMeta));
}

at::Tensor operand(const at::Tensor &x) { return count_only ? as_meta(x) : host_view(x); }

std::optional<at::Tensor> operand(const std::optional<at::Tensor> &x)
{
    return x && x->defined() ? std::optional<at::Tensor>(operand(*x)) : std::nullopt;
}

at::Tensor to_device(const at::Tensor &x, at::Device device, bool with_values)
{
    c10::DeviceGuard guard(device);
    at::Tensor made = at::empty_strided(x.sizes(), x.strides(), x.options().device(device));
    use(made);
    if (with_values && x.numel())
        host_view(made).copy_(x);
    return made;
}

void check_same_device(const char *name, std::initializer_list<std::optional<at::Tensor>> operands)
{
    std::optional<at::Device> first;
    for (const auto &x : operands)
        if (x && x->defined()) {
            TORCH_CHECK(on_device(*x) && (!first || *first == x->device()), "Expected all tensors to be on the same ",
                        "device, but got one on ", x->device(), " (simulated GPU, ", name, ")");
            first = x->device();
            use(*x);
        }
}

static bool is_product(const std::string &name)
{
    static const std::set<std::string> products = {"aten::mm",      "aten::mm.out", "aten::bmm",
                                                   "aten::bmm.out", "aten::addmm",  "aten::addmm.out",
                                                   "aten::baddbmm", "aten::addmm_", "aten::linear"};
    return products.count(name) > 0;
}

bool sums_in_float16(const std::string &name, const at::Tensor &x)
{
    bool found = is_product(name) && name != "aten::linear" && x.defined() && x.scalar_type() == at::kHalf &&
                 at::globalContext().allowFP16AccumulationCuBLAS();
    counters.float16_sums += found;
    return found;
}

// cuDNN's convolutions and cuBLAS' products may round float32 to TF32 where the process allows it.
void check_precision(const std::string &name, const at::Tensor &x)
{
    bool is_convolution = name == "convolution";
    if (!x.defined() || x.scalar_type() != at::kFloat || (!is_convolution && !is_product(name)))
        return;
    auto kind = is_convolution ? at::Float32Op::CONV : at::Float32Op::MATMUL;
    if (at::globalContext().float32Precision(at::Float32Backend::CUDA, kind) == at::Float32Precision::TF32)
        counters.tf32++;
}

namespace
{

// Where CUDA's TensorIterator takes a tensor of no dimensions from host memory.
const std::set<std::string> takes_host_scalars = {
    "aten::add.out",        "aten::sub.out",
    "aten::mul.out",        "aten::div.out",
    "aten::add.Tensor",     "aten::sub.Tensor",
    "aten::mul.Tensor",     "aten::div.Tensor",
    "aten::add_.Tensor",    "aten::mul_.Tensor",
    "aten::div_.Tensor",    "aten::maximum.out",
    "aten::minimum.out",    "aten::fill_.Tensor",
    "aten::pow.Scalar_out", "aten::pow.Tensor_Scalar_out",
    "aten::eq.Tensor_out",  "aten::ne.Tensor_out",
    "aten::lt.Tensor_out",  "aten::gt.Tensor_out",
    "aten::eq.Tensor",      "aten::ne.Tensor",
    "aten::lt.Tensor",      "aten::gt.Tensor",
    "aten::where.self",     "aten::bitwise_and.Tensor_out",
};
// Whose last operand is a list of numbers, which is read on the host.
const std::set<std::string> takes_host_lists = {"aten::_foreach_addcmul_.Tensor"};

// As tensor cores sum in float16: the exact sum of 16 products is added to a float16 ("PTX ISA", mma.m16n8k16 with .f16
// accumulators; how a card rounds it and splits long sums is its own).
at::Tensor sum_in_float16(const at::Tensor &a, const at::Tensor &b)
{
    constexpr int64_t BLOCK = 16;
    at::Tensor total;
    for (int64_t k = 0; k < a.size(-1); k += BLOCK) {
        int64_t count = std::min(BLOCK, a.size(-1) - k);
        at::Tensor part = at::matmul(a.narrow(-1, k, count).to(at::kFloat), b.narrow(-2, k, count).to(at::kFloat));
        total = (total.defined() ? total.to(at::kFloat) + part : part).to(at::kHalf);
    }
    return total;
}

// One call of an operator: its arguments on the stack, and what it is given in their place.
struct Boxed {
    const c10::FunctionSchema &schema;
    torch::jit::Stack *stack;
    std::string name;
    std::vector<c10::IValue> arguments;
    std::optional<at::Device> device;
    long long bytes = 0;
    std::string shapes;
    bool without_values = false, float16_sums = false;
    std::vector<std::pair<at::Tensor, at::Tensor>> given; // in place of the second

    Boxed(const c10::OperatorHandle &op, torch::jit::Stack *stack) : schema(op.schema()), stack(stack)
    {
        name = schema.name() + (schema.overload_name().empty() ? "" : "." + schema.overload_name());
        auto last = torch::jit::last(*stack, schema.arguments().size());
        arguments.assign(last.begin(), last.end());
    }

    bool writes(size_t i) const
    {
        const auto *alias = schema.arguments()[i].alias_info();
        return alias && alias->isWrite();
    }

    void look_at(const at::Tensor &x)
    {
        if (!x.defined())
            return;
        bytes += (long long)x.nbytes();
        shapes += is_logging() ? shape_text(x) : "";
        if (on_device(x)) {
            TORCH_CHECK(!device || *device == x.device(), "Expected all tensors to be on the same device, but found ",
                        *device, " and ", x.device(), " (simulated GPU, ", name, ")");
            device = x.device();
            use(x);
        } else
            TORCH_CHECK(takes_host_lists.count(name) || (x.dim() == 0 && takes_host_scalars.count(name)),
                        "Expected all tensors to be on the same device, but found a tensor on the CPU", shape_text(x),
                        " (simulated GPU, ", name, ")");
    }

    template <typename Work> c10::IValue each_tensor(const c10::IValue &value, Work work) const
    {
        if (value.isTensor())
            return work(value.toTensor());
        if (value.isTensorList()) {
            c10::List<at::Tensor> all;
            for (const at::Tensor &x : value.toTensorVector())
                all.push_back(work(x));
            return all;
        }
        if (value.isOptionalTensorList()) {
            c10::List<std::optional<at::Tensor>> all;
            for (const std::optional<at::Tensor> x : value.toOptionalTensorList())
                all.push_back(x ? std::optional<at::Tensor>(work(*x)) : x);
            return all;
        }
        return value;
    }

    void check()
    {
        check_not_refused(name);
        for (const auto &value : arguments) {
            each_tensor(value, [&](const at::Tensor &x) { return look_at(x), x; });
            if (value.isDevice() && !device)
                device = value.toDevice();
        }
        if (!device || device->index() < 0)
            device = at::Device(KIND, (c10::DeviceIndex)current_device());
        if (!arguments.empty() && arguments.back().isTensor())
            check_precision(name, arguments.back().toTensor());
        if (arguments.size() > 1 && arguments[1].isTensor())
            float16_sums = sums_in_float16(name, arguments[1].toTensor());
        without_values = count_only;
        for (size_t i = 0; i < arguments.size(); i++) // a result that the operator sizes: it must run
            if (writes(i) && arguments[i].isTensor() && arguments[i].toTensor().numel() == 0)
                without_values = false;
    }

    // Whether nothing but its operands receives results.
    bool returns_operands_only() const
    {
        for (const auto &result : schema.returns())
            if (!result.alias_info() || !result.alias_info()->isWrite())
                return false;
        return true;
    }

    void return_operands()
    {
        torch::jit::drop(*stack, arguments.size());
        for (size_t i = 0; i < arguments.size() && !schema.returns().empty(); i++)
            if (writes(i))
                stack->push_back(arguments[i]);
    }

    void give_operands()
    {
        for (size_t i = 0; i < arguments.size(); i++) {
            auto &slot = (*stack)[stack->size() - arguments.size() + i];
            if (arguments[i].isDevice())
                slot = at::Device(without_values ? at::kMeta : at::kCPU);
            else
                slot = each_tensor(arguments[i], [&](const at::Tensor &x) {
                    at::Tensor instead = without_values ? as_meta(x) : host_view(x);
                    if (x.defined())
                        given.emplace_back(instead, x);
                    return instead;
                });
        }
    }

    // Makes the operator one that only adds and scales: a sum in float16 takes the place of the matrix on the left, and
    // the identity that of the one on the right.
    void give_float16_sums()
    {
        size_t first = name.find("add") == std::string::npos ? 0 : 1; // addmm and baddbmm: what is added comes before
        auto *slots = &(*stack)[stack->size() - arguments.size()];
        at::Tensor sums = sum_in_float16(slots[first].toTensor(), slots[first + 1].toTensor());
        auto sizes = slots[first + 1].toTensor().sizes().vec();
        sizes[sizes.size() - 2] = sizes.back();
        slots[first] = sums;
        slots[first + 1] = at::eye(sums.size(-1), sums.options()).expand(sizes);
    }

    // The operand that x stands for, resized as x was; or x on the device.
    at::Tensor take_back(const at::Tensor &x, bool is_view)
    {
        if (!x.defined())
            return x;
        for (const auto &pair : given)
            if (pair.first.is_same(x)) {
                if (on_device(pair.second) && pair.second.numel() != x.numel()) {
                    at::Tensor fresh = to_device(x, *device, true);
                    pair.second.unsafeGetTensorImpl()->set_storage_keep_dtype(fresh.storage());
                    pair.second.unsafeGetTensorImpl()->set_sizes_and_strides(fresh.sizes(), fresh.strides());
                }
                return pair.second;
            }
        TORCH_CHECK(!is_view, "simulated GPU: give ", name, " a kernel in kernels.cpp, it returns a view");
        bytes += (long long)x.nbytes();
        shapes += is_logging() ? " ->" + shape_text(x) : "";
        return to_device(x, *device, !without_values);
    }

    void take_results()
    {
        size_t count = schema.returns().size();
        for (size_t i = 0; i < count; i++) {
            auto &slot = (*stack)[stack->size() - count + i];
            bool is_view = schema.returns()[i].alias_info() != nullptr;
            slot = each_tensor(slot, [&](const at::Tensor &x) { return take_back(x, is_view); });
        }
    }
};

} // namespace

void run_boxed(const c10::OperatorHandle &op, c10::DispatchKeySet, torch::jit::Stack *stack)
{
    Boxed call(op, stack);
    call.check();
    if (call.without_values && call.returns_operands_only())
        call.return_operands();
    else {
        call.give_operands();
        if (call.float16_sums && !call.without_values)
            call.give_float16_sums();
        op.callBoxed(stack);
        call.take_results();
    }
    c10::DeviceGuard guard(*call.device);
    record(call.name, call.bytes, call.shapes);
}

} // namespace simulated

TORCH_LIBRARY_IMPL(_, PrivateUse1, library)
{
    library.fallback(torch::CppFunction::makeFromBoxedFunction<&simulated::run_boxed>());
}
