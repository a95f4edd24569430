// One call into libtorch's dispatcher through the stable ABI (torch/csrc/stable/c/shim.h).
#include <cstdarg>
#include <cstdio> // vsnprintf
#include <cstring>

#include <torch/headeronly/version.h> // TORCH_ABI_VERSION

#include "core/progress.h"
#include "torch/internal.h"
#include "torch/optional.h"

namespace sonic
{

bool may_run(sonic_scope *scope) { return !scope->status && !sonic_scope_fail(scope, sonic_progress_poll()); }

// Texts of libtorch's allocators (c10/core/impl/alloc_cpu.cpp, c10/cuda/CUDACachingAllocator.cpp; the text of
// CUDAMallocAsyncAllocator.cpp ends at the number of the device, an int8_t that it prints as a character, where that is
// 0), of C++'s, of cuBLAS and cuDNN, and of Level Zero's on Intel's cards.
static bool is_out_of_memory(const char *message)
{
    for (const char *phrase :
         {"out of memory", "allocate memory", "not enough memory", "bad_alloc", "Allocation on device", "_ALLOC_FAILED",
          "OUT_OF_DEVICE_MEMORY", "OUT_OF_HOST_MEMORY", "CUDACachingAllocator"})
        if (strstr(message, phrase))
            return true;
    return false;
}

void fail_with_text(sonic_scope *scope, const char *what, const char *message)
{
    int length = (int)strcspn(message, "\n"); // a backtrace may follow
    if (is_out_of_memory(message))
        sonic_scope_fail(
            scope,
            sonic_fail(SONIC_ERROR_MEMORY,
                       "Choose a smaller size or a shorter clip, or close other programs: %s does not fit in memory. "
                       "%.*s",
                       what, length, message));
    else if (length == 0)
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_TORCH, "%s failed: libtorch gave no reason", what));
    else
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_TORCH, "%s failed: %.*s", what, length, message));
}

void fail_with_exception(sonic_scope *scope, const char *what) { fail_with_text(scope, what, torch_message()); }

// Whether the device of `like` has no room for so many bytes.
static bool is_device_full(const sonic_tensor *like, int64_t bytes)
{
    const int64_t stride = 1;
    AtenTensorHandle room = nullptr;
    sonic_device device = torch_device(like);
    if (device.type < 0 || device.type == aoti_torch_device_type_cpu())
        return false;
    if (aoti_torch_empty_strided(1, &bytes, &stride, aoti_torch_dtype_uint8(), device.type, device.index, &room))
        return true;
    aoti_torch_delete_tensor_object(room);
    return false;
}

void fail_with_exception(sonic_scope *scope, const char *what, const sonic_tensor *like, int64_t bytes)
{
    const char *text = torch_message();
    fail_with_text(scope, what, *text || !is_device_full(like, bytes) ? text : "the device is out of memory");
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

void Title::add(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text + length_, sizeof text - length_, format, arguments);
    va_end(arguments);
    length_ += more > 0 ? (size_t)more : 0;
    length_ = length_ < sizeof text ? length_ : sizeof text - 1;
}

void Title::add(const sonic_tensor *x)
{
    sonic_shape shape = st_shape(x);
    add(" [");
    for (int32_t i = 0; i < shape.dims; i++)
        add("%s%lld", i ? "," : "", (long long)shape.size[i]);
    add("]");
}

Title Call::title() const
{
    Title title;
    title.add("%s on", strstr(op_, "::") + strlen("::"));
    each_operand([&](sonic_tensor *x) { return title.add(x), true; });
    return title;
}

static bool new_reference(const sonic_tensor *x, StableIValue *out)
{
    AtenTensorHandle handle = nullptr;
    bool made = aoti_torch_new_tensor_handle(x->handle, &handle) == AOTI_TORCH_SUCCESS;
    *out = (StableIValue)handle;
    return made;
}

static bool append_reference(StableListHandle list, const sonic_tensor *x)
{
    StableIValue reference = 0;
    if (!new_reference(x, &reference))
        return false;
    if (torch_list_push_back(list, reference) == AOTI_TORCH_SUCCESS)
        return true;
    aoti_torch_delete_tensor_object((AtenTensorHandle)reference);
    return false;
}

static bool new_tensor_list(const Argument &a, StableIValue *out)
{
    StableListHandle list = nullptr;
    bool made = torch_new_list_reserve_size((size_t)a.number, &list) == AOTI_TORCH_SUCCESS;
    for (int64_t i = 0; made && i < a.number; i++)
        made = append_reference(list, ((sonic_tensor *const *)a.items)[i]);
    *out = (StableIValue)list;
    return made;
}

static bool new_int_list(const Argument &a, StableIValue *out)
{
    StableListHandle list = nullptr;
    bool made = torch_new_list_reserve_size((size_t)a.number, &list) == AOTI_TORCH_SUCCESS;
    for (int64_t i = 0; made && i < a.number; i++)
        made = torch_list_push_back(list, (StableIValue)((const int64_t *)a.items)[i]) == AOTI_TORCH_SUCCESS;
    *out = (StableIValue)list;
    return made;
}

// The value of an argument, or what is in the box of an optional one. False only when memory ran out.
static bool plain_value(const Argument &a, StableIValue *out)
{
    switch (a.kind) {
    case Argument::TENSOR:
    case Argument::OPTIONAL_TENSOR:
        return new_reference(a.operand, out);
    case Argument::TENSORS:
        return new_tensor_list(a, out);
    case Argument::INTS:
    case Argument::OPTIONAL_INTS:
        return new_int_list(a, out);
    default:
        *out = (StableIValue)a.number;
        return true;
    }
}

static bool is_boxed(const Argument &a)
{
    return a.kind == Argument::OPTIONAL_TENSOR || a.kind == Argument::OPTIONAL_REAL ||
           a.kind == Argument::OPTIONAL_INTS;
}

// False only when memory ran out; *out then holds what was made of it: nullptr or a part.
static bool stack_value(const Argument &a, StableIValue *out)
{
    if (!is_boxed(a))
        return plain_value(a, out);
    StableIValue *box = new_box();
    *out = (StableIValue)box;
    return box && plain_value(a, box);
}

// Frees what stack_value made, for a call that does not take place.
static void drop(const Argument &a, StableIValue made)
{
    auto *box = (StableIValue *)(is_boxed(a) ? made : 0);
    StableIValue value = box ? *box : made;
    if (value && (a.kind == Argument::TENSOR || a.kind == Argument::OPTIONAL_TENSOR))
        aoti_torch_delete_tensor_object((AtenTensorHandle)value);
    else if (value && a.kind == Argument::TENSORS)
        delete_tensor_list((StableListHandle)value);
    else if (value && (a.kind == Argument::INTS || a.kind == Argument::OPTIONAL_INTS))
        torch_delete_list((StableListHandle)value);
    delete_box(box);
}

// Hands the arguments over to libtorch; false when memory ran out: then none is handed over, and none left to free.
bool Call::fill(StableIValue *stack) const
{
    for (int32_t i = 0; i < count_; i++)
        if (!stack_value(arguments_[i], &stack[i])) {
            for (; i >= 0; i--)
                drop(arguments_[i], stack[i]);
            return false;
        }
    return true;
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
        sonic_scope_fail(scope_, sonic_fail(SONIC_ERROR_INTERNAL, "%s failed: an operand is missing", title().text));
        return false;
    }
    if (!fill(stack)) {
        sonic_scope_fail(scope_,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to call %s.", title().text));
        return false;
    }
    if (torch_call_dispatcher(op_, overload_, stack, TORCH_ABI_VERSION)) {
        fail_with_exception(scope_, title().text, first_operand(), likely_bytes());
        return false;
    }
    return true;
}

// What an operator may have asked for: no network's result is larger, a layer that widens by the weight's first size
// included.
int64_t Call::likely_bytes() const
{
    enum { WORST = 4 };
    Operands operands;
    each_operand([&](sonic_tensor *x) { return operands.add(x), true; });
    int64_t channels =
        st_size(operands.first, strcmp(op_, "aten::linear") == 0 ? st_shape(operands.first).dims - 1 : 1);
    int64_t wider = operands.second && channels > 0 ? st_size(operands.second, 0) / channels : 0;
    return operands.bytes * (WORST + (wider < WORST * WORST ? wider : WORST * WORST));
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
    Operands operands;
    each_operand([&](sonic_tensor *x) { return operands.add(x), true; });
    cost_meter_operator(scope_->meter, op_, operands, result);
}

bool Call::run_for_effect()
{
    StableIValue stack[MAX_ARGUMENTS] = {}; // arguments that a later release adds read as none
    return dispatch(stack);
}

} // namespace sonic
