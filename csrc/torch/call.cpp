// One call into libtorch's dispatcher through the stable ABI (torch/csrc/stable/c/shim.h).
#include <cstring>
#include <string>
#include <vector>

#include <torch/headeronly/version.h> // TORCH_ABI_VERSION

#include "core/progress.h"
#include "torch/internal.h"
#include "torch/optional.h"

namespace sonic
{

bool may_run(sonic_scope *scope) { return !scope->status && !sonic_scope_fail(scope, sonic_progress_poll()); }

// Texts of libtorch's allocators for CPU and GPU (c10/core/impl/alloc_cpu.cpp, c10/cuda/CUDACachingAllocator.cpp).
static bool is_out_of_memory(const char *message)
{
    for (const char *phrase : {"out of memory", "allocate memory", "not enough memory"})
        if (strstr(message, phrase))
            return true;
    return false;
}

void fail_with_exception(sonic_scope *scope, const char *what)
{
    const char *message = torch_message();
    if (is_out_of_memory(message))
        sonic_scope_fail(
            scope,
            sonic_fail(
                SONIC_ERROR_MEMORY,
                "Choose a smaller size or a shorter clip, or close other programs: %s does not fit in memory. %s", what,
                message));
    else
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_TORCH, "%s failed: %s", what,
                                           *message ? message : "libtorch gave no reason"));
}

const char *torch_message()
{
    auto what = (const char *(*)())sonic_torch_find(SONIC_TORCH_MESSAGE);
    const char *text = what ? what() : nullptr;
    return text ? text : "";
}

int64_t Call::bits(double value)
{
    int64_t raw;
    memcpy(&raw, &value, sizeof raw);
    return raw;
}

Call &Call::add(Argument argument)
{
    if (count_ < MAX_ARGUMENTS)
        arguments_[count_++] = argument;
    return *this;
}

// True when `work` was true for every operand, in order.
template <typename Work> bool Call::each_operand(Work work) const
{
    for (int32_t i = 0; i < count_; i++) {
        const Argument &a = arguments_[i];
        if ((a.kind == Argument::TENSOR || a.kind == Argument::OPTIONAL_TENSOR) && !work(a.operand))
            return false;
        for (int64_t j = 0; a.kind == Argument::TENSORS && j < a.number; j++)
            if (!work(((sonic_tensor *const *)a.items)[j]))
                return false;
    }
    return true;
}

// An operand may occur twice (x * x): all marks are collected, and cleared, before the first release.
Call::~Call()
{
    sonic_tensor *last = nullptr;
    each_operand([&](sonic_tensor *x) {
        if (x && x->taken) {
            x->taken = false;
            x->next_taken = last;
            last = x;
        }
        return true;
    });
    while (last) {
        sonic_tensor *x = last;
        last = x->next_taken;
        st_release(x);
    }
}

static void describe(std::string *out, const sonic_tensor *x)
{
    sonic_shape shape = st_shape(x);
    *out += " [";
    for (int32_t i = 0; i < shape.dims; i++)
        out->append(i ? "," : "").append(std::to_string(shape.size[i]));
    *out += ']';
}

// The operator and the shapes of its operands.
std::string Call::title() const
{
    std::string text = std::string(op_ + strlen("aten::")) + " on";
    each_operand([&](sonic_tensor *x) { return describe(&text, x), true; });
    return text;
}

static bool new_reference(const sonic_tensor *x, StableIValue *out)
{
    AtenTensorHandle handle = nullptr;
    bool made = aoti_torch_new_tensor_handle(x->handle, &handle) == AOTI_TORCH_SUCCESS;
    *out = (StableIValue)handle;
    return made;
}

template <typename Item> static bool new_list(int64_t count, Item item, StableIValue *out)
{
    StableListHandle list = nullptr;
    bool made = torch_new_list_reserve_size((size_t)count, &list) == AOTI_TORCH_SUCCESS;
    for (int64_t i = 0; made && i < count; i++) {
        StableIValue value = 0;
        made = item(i, &value) && torch_list_push_back(list, value) == AOTI_TORCH_SUCCESS;
    }
    *out = (StableIValue)list;
    return made;
}

static bool new_int_list(const int64_t *values, int64_t count, StableIValue *out)
{
    return new_list(count, [&](int64_t i, StableIValue *v) { return *v = (StableIValue)values[i], true; }, out);
}

// The value of an optional argument is boxed on the heap; the dispatcher frees it with delete
// (stableivalue_conversions.h, "Handling std::optional", targets below 2.13).
static StableIValue *new_box(StableIValue *out)
{
    auto *box = new StableIValue(0);
    *out = (StableIValue)box;
    return box;
}

// False only when memory ran out.
static bool stack_value(const Argument &a, StableIValue *out)
{
    switch (a.kind) {
    case Argument::TENSOR:
        return new_reference(a.operand, out);
    case Argument::OPTIONAL_TENSOR:
        return new_reference(a.operand, new_box(out));
    case Argument::OPTIONAL_REAL:
        *new_box(out) = (StableIValue)a.number;
        return true;
    case Argument::OPTIONAL_INTS:
        return new_int_list((const int64_t *)a.items, a.number, new_box(out));
    case Argument::TENSORS:
        return new_list(
            a.number, [&](int64_t i, StableIValue *v) { return new_reference(((sonic_tensor *const *)a.items)[i], v); },
            out);
    case Argument::INTS:
        return new_int_list((const int64_t *)a.items, a.number, out);
    case Argument::TEXT: {
        StringHandle handle = nullptr;
        bool made = torch_new_string_handle(a.text, strlen(a.text), &handle) == AOTI_TORCH_SUCCESS;
        *out = (StableIValue)handle;
        return made;
    }
    default:
        *out = (StableIValue)a.number;
        return true;
    }
}

// The first argument, or the first tensor in it if it is a list.
const sonic_tensor *Call::first_operand() const
{
    const Argument &a = arguments_[0];
    return a.kind == Argument::TENSORS && a.number > 0 ? ((sonic_tensor *const *)a.items)[0] : a.operand;
}

bool Call::has_operands() const
{
    return each_operand([](sonic_tensor *x) { return x != nullptr; });
}

bool Call::dispatch(StableIValue *stack)
{
    if (!may_run(scope_))
        return false;
    if (!has_operands()) {
        sonic_scope_fail(scope_, sonic_fail(SONIC_ERROR_INTERNAL, "%s failed: an operand is missing", title().c_str()));
        return false;
    }
    for (int32_t i = 0; i < count_; i++)
        if (!stack_value(arguments_[i], &stack[i])) {
            sonic_scope_fail(
                scope_, sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to call %s.", title().c_str()));
            return false;
        }
    if (torch_call_dispatcher(op_, overload_, stack, TORCH_ABI_VERSION)) {
        fail_with_exception(scope_, title().c_str());
        return false;
    }
    return true;
}

sonic_tensor *Call::run()
{
    StableIValue stack[MAX_ARGUMENTS] = {}; // arguments that a later release adds read as none
    const sonic_tensor *first = arguments_[0].operand;
    AtenTensorHandle handle = !scope_->status && has_operands() && is_dry_run(scope_, first_operand())
                                  ? meta_kernel(op_, arguments_, cost_meter_is_for_gpu(scope_->meter))
                                  : nullptr;
    if (!handle && !dispatch(stack))
        return nullptr;
    handle = handle ? handle : (AtenTensorHandle)stack[0];
    sonic_tensor *result =
        adopt(scope_, handle, scope_->meter && cost_meter_shares_memory(op_, first, handle) ? first : nullptr);
    if (result && scope_->meter)
        count(result);
    return result;
}

void Call::count(const sonic_tensor *result) const
{
    std::vector<const sonic_tensor *> operands;
    each_operand([&](sonic_tensor *x) { return operands.push_back(x), true; });
    cost_meter_operator(scope_->meter, op_, operands.data(), (int32_t)operands.size(), result);
}

bool Call::run_for_effect()
{
    StableIValue stack[MAX_ARGUMENTS] = {}; // arguments that a later release adds read as none
    return dispatch(stack);
}

} // namespace sonic
