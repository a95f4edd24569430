// Calls operators through libtorch's dispatcher with the 1st, 2nd, ... allocation failing, until none does.
//
//     failing_calls 2.10|2.13
//
// The linker's --wrap routes the allocating functions that csrc/torch calls through the __wrap_ functions below. Each
// failing call must return, with an empty list (with the operands where not even a list can be had), and report
// SONIC_ERROR_MEMORY; the next one must succeed. In 2.10 libtorch has no torch_new_stable_ivalue. Exits 1 with a line
// that says what was wrong.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h> // mallinfo2

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/c/shim.h>
#include <torch/headeronly/version.h>

#include "torch/operator_outcome.h"
#include "torch/operators.h"
#include "torch/tensor_operator.h"

// Calls of each kind; their bytes are compared, which vary a little with how malloc divides its memory.
static const int CALLS = 100;
static const double LEAKED_BYTES = 20;

static long countdown; // the allocation of this number fails; 0: none
static bool old_torch;

static bool fails() { return countdown > 0 && --countdown == 0; }

#define WRAP(name, parameters, arguments)                                                                              \
    extern "C" AOTITorchError __real_##name parameters;                                                                \
    extern "C" AOTITorchError __wrap_##name parameters;                                                                \
    extern "C" AOTITorchError __wrap_##name parameters { return fails() ? 1 : __real_##name arguments; }

WRAP(torch_new_list_reserve_size, (size_t size, StableListHandle *out), (size, out))
WRAP(torch_list_push_back, (StableListHandle list, StableIValue item), (list, item))
WRAP(torch_new_string_handle, (const char *data, size_t length, StringHandle *out), (data, length, out))
WRAP(aoti_torch_new_tensor_handle, (AtenTensorHandle x, AtenTensorHandle *out), (x, out))
WRAP(aoti_torch_empty_strided,
     (int64_t dims, const int64_t *sizes, const int64_t *strides, int32_t dtype, int32_t device, int32_t index,
      AtenTensorHandle *out),
     (dims, sizes, strides, dtype, device, index, out))

extern "C" void *__real_calloc(size_t count, size_t size);
extern "C" void *__wrap_calloc(size_t count, size_t size);
extern "C" void *__wrap_calloc(size_t count, size_t size) { return fails() ? nullptr : __real_calloc(count, size); }

// Boxes: functions that are looked up by name.
using NewBox = AOTITorchError (*)(StableIValue **);
using NewTensor = AOTITorchError (*)(AtenTensorHandle *);
static NewBox new_box;
static NewTensor new_tensor;
static AOTITorchError failing_box(StableIValue **out) { return fails() ? 1 : new_box(out); }
static AOTITorchError failing_tensor(AtenTensorHandle *out) { return fails() ? 1 : new_tensor(out); }

extern "C" void *__real_dlsym(void *library, const char *name);
extern "C" void *__wrap_dlsym(void *library, const char *name);
extern "C" void *__wrap_dlsym(void *library, const char *name)
{
    void *found = __real_dlsym(library, name);
    if (strstr(name, "stable_ivalue") && old_torch)
        return nullptr;
    if (found && strcmp(name, "torch_new_stable_ivalue") == 0)
        return new_box = (NewBox)found, (void *)failing_box;
    if (found && strcmp(name, "aoti_torch_new_uninitialized_tensor") == 0)
        return new_tensor = (NewTensor)found, (void *)failing_tensor;
    return found;
}

// Operands of one shape: an operator takes as many as it needs.
struct Case {
    const char *names;
    int64_t dims, side;
    size_t count;
    double numbers[3];
    size_t number_count;
};

static const Case cases[] = {
    {"op=conv2d\nw\nb\n?#", 4, 1, 2, {1, 0, 1}, 3},
    {"op=layer_norm\nw", 1, 2, 3, {1e-5}, 1},
    {"op=mean", 2, 2, 1, {1}, 1},
    {"op=cat\nb\nc", 2, 2, 3, {0}, 1},
    {"op=attention\nk\nv\n?#", 4, 1, 3, {0.5}, 1},
    {"op=to_dtype", 2, 2, 1, {1}, 1},
};

static AtenTensorHandle new_operand(const Case &c)
{
    const int64_t size[4] = {c.side, c.side, c.side, c.side}, stride[4] = {1, 1, 1, 1};
    AtenTensorHandle x = nullptr;
    __real_aoti_torch_empty_strided(c.dims, size, stride, aoti_torch_dtype_float32(), aoti_torch_device_type_cpu(), 0,
                                    &x);
    aoti_torch_zero_(x);
    return x;
}

static void fill_stack(const Case &c, StableIValue stack[3])
{
    StableListHandle tensors = nullptr, numbers = nullptr;
    StringHandle names = nullptr;
    __real_torch_new_list_reserve_size(c.count, &tensors);
    for (size_t i = 0; i < c.count; i++)
        __real_torch_list_push_back(tensors, (StableIValue)new_operand(c));
    __real_torch_new_string_handle(c.names, strlen(c.names), &names);
    __real_torch_new_list_reserve_size(c.number_count, &numbers);
    for (size_t i = 0; i < c.number_count; i++) {
        StableIValue bits;
        memcpy(&bits, &c.numbers[i], sizeof bits);
        __real_torch_list_push_back(numbers, bits);
    }
    stack[0] = (StableIValue)tensors, stack[1] = (StableIValue)names, stack[2] = (StableIValue)numbers;
}

static size_t free_list(StableListHandle list)
{
    size_t size = 0;
    torch_list_size(list, &size);
    for (size_t i = 0; i < size; i++) {
        StableIValue item = 0;
        torch_list_get_item(list, i, &item);
        aoti_torch_delete_tensor_object((AtenTensorHandle)item);
    }
    torch_delete_list(list);
    return size;
}

static bool wrong(const Case &c, long failing, const char *what)
{
    printf("%s, allocation %ld: %s (%s)\n", c.names, failing, what, sonic_last_error());
    return false;
}

// Calls with that allocation failing; *reached: whether there was one.
static bool call_once(const Case &c, long failing, bool *reached)
{
    StableIValue stack[3] = {};
    sonic_operator_outcome outcome;
    fill_stack(c, stack);
    sonic_operator_outcome_begin(&outcome);
    countdown = failing;
    AOTITorchError raised = torch_call_dispatcher("failing_calls::tensor_operator", "", stack, TORCH_ABI_VERSION);
    *reached = failing && countdown == 0;
    countdown = 0;
    sonic_operator_outcome_end(&outcome);
    if (raised)
        return wrong(c, failing, "an exception reached libtorch");
    size_t results = free_list((StableListHandle)stack[0]);
    if (!*reached)
        return (results >= 1 && !outcome.status) || wrong(c, failing, "the call without failure failed");
    if (outcome.status != SONIC_ERROR_MEMORY || !strstr(outcome.text, "lose other programs"))
        return wrong(c, failing, "the failure was not reported as one of memory");
    return results == (failing == 1 ? c.count : 0) || wrong(c, failing, "the result is not empty");
}

// *lost: bytes that each of CALLS calls loses. libtorch itself loses the names (ToImpl<std::string>).
static bool call_often(const Case &c, long failing, bool *reached, double *lost)
{
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < CALLS; i++)
        if (!call_once(c, failing, reached))
            return false;
    *lost = (double)(int64_t)(mallinfo2().uordblks - before) / CALLS;
    return true;
}

// Allocation after allocation; returns how many there are, or -1.
static long every_allocation(const Case &c)
{
    bool reached = true, ignored;
    double lost, lost_by_libtorch;
    call_often(c, 0, &ignored, &lost); // fills libtorch's caches
    for (long failing = 1;; failing++) {
        if (!call_often(c, failing, &reached, &lost) || !call_often(c, 0, &ignored, &lost_by_libtorch))
            return -1;
        if (!reached)
            return failing - 1;
        if (lost - lost_by_libtorch > LEAKED_BYTES)
            return wrong(c, failing, "memory leaked") - 1L;
    }
}

int main(int count, char **arguments)
{
    static const sonic_operator *const tables[] = {sonic_tensor_operators};
    old_torch = count > 1 && strcmp(arguments[1], "2.10") == 0;
    int status = sonic_operators_register("failing_calls", tables, 1) != SONIC_OK;
    for (const Case &c : cases) {
        long allocations = status ? -1 : every_allocation(c);
        printf("%.*s: %ld allocations\n", (int)strcspn(c.names, "\n"), c.names, allocations);
        status = status || allocations < 0;
    }
    fflush(stdout);
    _Exit(status); // libtorch's threads
}
