// Registration of operators, and the conversion between libtorch's boxed stack and a C function's arguments.
//
// Registration uses the C functions, which return an error, and a namespace per file: the static macro of torch's
// headers ends the process when a second copy of the package is loaded.
#include <array>
#include <cstdarg>
#include <cstdio>  // vsnprintf
#include <cstring> // memcpy, strchr, strncmp
#include <new>     // std::bad_alloc
#include <stdexcept>
#include <string>
#include <utility> // std::index_sequence
#include <vector>

#include <torch/headeronly/version.h> // TORCH_ABI_VERSION

#include "torch/internal.h"
#include "torch/cost_meter.h"
#include "torch/operators.h"

namespace
{

// Owns what the stack holds, and frees it also on failure.
struct Arguments {
    sonic_scope scope;
    std::vector<sonic_tensor *> tensors;
    std::string names;
    std::vector<double> numbers;
    sonic_weights *weights = nullptr;
    sonic_cost_meter *meter = nullptr;

    Arguments() { sonic_scope_open(&scope, nullptr); }
    ~Arguments()
    {
        sonic_weights_free(weights);
        sonic_scope_close(&scope);
        sonic_cost_meter_free(meter);
    }
    Arguments(const Arguments &) = delete;
    Arguments &operator=(const Arguments &) = delete;
};

void read_list(StableListHandle list, std::vector<StableIValue> *out)
{
    size_t size = 0;
    torch_list_size(list, &size);
    out->resize(size);
    for (size_t i = 0; i < size; i++)
        torch_list_get_item(list, i, &(*out)[i]);
    torch_delete_list(list);
}

void read_tensors(Arguments *arguments, StableListHandle list)
{
    std::vector<StableIValue> items;
    read_list(list, &items);
    for (StableIValue item : items)
        arguments->tensors.push_back(sonic::adopt(&arguments->scope, (AtenTensorHandle)item));
}

void read_names(Arguments *arguments, StringHandle text)
{
    const char *data = nullptr;
    size_t length = 0;
    if (torch_string_c_str(text, &data) == AOTI_TORCH_SUCCESS &&
        torch_string_length(text, &length) == AOTI_TORCH_SUCCESS)
        arguments->names.assign(data, length);
    torch_delete_string(text);
    if (!arguments->names.empty() && arguments->names.back() != '\n')
        arguments->names += '\n';
}

void read_numbers(Arguments *arguments, StableListHandle list)
{
    std::vector<StableIValue> items;
    read_list(list, &items);
    for (StableIValue item : items) {
        double number;
        memcpy(&number, &item, sizeof number);
        arguments->numbers.push_back(number);
    }
}

void append(StableListHandle list, const sonic_tensor *x)
{
    AtenTensorHandle handle = nullptr;
    if (aoti_torch_new_tensor_handle(x->handle, &handle) || torch_list_push_back(list, (StableIValue)handle))
        throw std::runtime_error("no memory for an operator's results");
}

StableIValue write_outputs(const sonic_operator_call &call)
{
    StableListHandle list = nullptr;
    if (torch_new_list_reserve_size((size_t)(call.output_count + call.probe_count), &list))
        throw std::runtime_error("no memory for an operator's results");
    for (int32_t i = 0; i < call.output_count; i++)
        append(list, call.outputs[i]);
    for (int32_t i = 0; i < call.probe_count; i++)
        append(list, call.probes[i]);
    return (StableIValue)list;
}

// Moves *at past `line` if it is there.
bool skip_line(const char **at, const char *line)
{
    bool found = strncmp(*at, line, strlen(line)) == 0;
    if (found)
        *at += strlen(line);
    return found;
}

// Parses the requests, the lines that begin with '?'; returns the first probe.
const char *split_probes(const Arguments &arguments, int32_t *count, bool *check_finite, bool *metered, bool *for_gpu)
{
    const char *at = arguments.names.c_str();
    while (*at && *at != '?')
        at = strchr(at, '\n') + 1;
    *check_finite = skip_line(&at, "?!\n");
    *for_gpu = skip_line(&at, "?#gpu\n");
    *metered = *for_gpu || skip_line(&at, "?#\n");
    *count = 0;
    for (const char *line = at; *line; line = strchr(line, '\n') + 1)
        ++*count;
    return at;
}

void check_probes(sonic_operator_call *call)
{
    const char *line = call->probe_names;
    for (int32_t i = 0; i < call->probe_count; i++, line = strchr(line, '\n') + 1)
        if (!call->probes[i])
            sonic_scope_fail(call->scope,
                             sonic_fail(SONIC_ERROR_ARGUMENT, "Ask for a layer that the network has: it has no '%.*s'.",
                                        (int)strcspn(line + 1, "\n"), line + 1));
}

void attach_meter(Arguments *arguments, bool for_gpu)
{
    sonic_scope *scope = &arguments->scope;
    sonic_scope_fail(scope, sonic_cost_meter_create(&arguments->meter, scope, arguments->tensors.data(),
                                                    (int32_t)arguments->tensors.size(), for_gpu));
}

void return_reading(sonic_operator_call *call, const sonic_cost_meter *meter)
{
    sonic_cost_reading r = sonic_cost_meter_read(meter);
    const int64_t values[] = {r.convolution_flops, r.product_flops, r.attention_flops,
                              r.moved_bytes,       r.live_bytes,    r.peak_bytes};
    sonic_operator_return(call, st_indices(call->scope, values, sizeof values / sizeof *values));
}

// Becomes a MemoryError in Python.
struct OutOfMemory : std::bad_alloc {
    std::string text = sonic_last_error();
    const char *what() const noexcept override { return text.c_str(); }
};

// A boxed kernel reports failure to the dispatcher by an exception (torch/csrc/stable/library.h); all C code has
// returned by then.
void run_boxed(StableIValue *stack, sonic_operator_function run)
{
    Arguments arguments;
    read_tensors(&arguments, (StableListHandle)stack[0]);
    read_names(&arguments, (StringHandle)stack[1]);
    read_numbers(&arguments, (StableListHandle)stack[2]);
    sonic_operator_call call = {};
    call.scope = &arguments.scope;
    call.tensors = arguments.tensors.data();
    call.count = (int32_t)arguments.tensors.size();
    call.names = arguments.names.c_str();
    call.numbers = arguments.numbers.data();
    call.number_count = (int32_t)arguments.numbers.size();
    bool metered, for_gpu;
    call.probe_names = split_probes(arguments, &call.probe_count, &call.check_finite, &metered, &for_gpu);
    std::vector<sonic_tensor *> probes((size_t)call.probe_count, nullptr);
    call.probes = probes.data();
    sonic_scope_fail(call.scope, sonic_weights_create(&arguments.weights, call.tensors, call.count, call.names));
    call.weights = arguments.weights;
    if (metered)
        attach_meter(&arguments, for_gpu);
    if (!call.scope->status)
        run(&call);
    if (metered && !call.scope->status)
        return_reading(&call, arguments.meter);
    if (!call.scope->status)
        check_probes(&call);
    if (call.scope->status == SONIC_ERROR_MEMORY)
        throw OutOfMemory();
    if (call.scope->status)
        throw std::runtime_error(sonic_last_error());
    stack[0] = write_outputs(call);
}

// A kernel gets no context from the dispatcher, so each operator has a kernel of its own: kernel<i> runs slots[i].
// Slots are written during registration, before the dispatcher knows the kernel, and never change afterwards.
using Kernel = void (*)(StableIValue *, uint64_t, uint64_t);
constexpr size_t SLOTS = 32;
sonic_operator_function slots[SLOTS];

template <size_t slot> void kernel(StableIValue *stack, uint64_t, uint64_t) { run_boxed(stack, slots[slot]); }

template <size_t... slot> constexpr std::array<Kernel, SLOTS> make_kernels(std::index_sequence<slot...>)
{
    return {kernel<slot>...};
}

constexpr std::array<Kernel, SLOTS> kernels = make_kernels(std::make_index_sequence<SLOTS>());

// The kernel that runs this function; nullptr: no slot is free.
Kernel kernel_of(sonic_operator_function run)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (!slots[i])
            slots[i] = run;
        if (slots[i] == run)
            return kernels[i];
    }
    return nullptr;
}

bool define(TorchLibraryHandle library, const char *name)
{
    std::string schema = std::string(name) + "(Tensor[] tensors, str names, float[] numbers) -> Tensor[]";
    return aoti_torch_library_def(library, schema.c_str()) == AOTI_TORCH_SUCCESS;
}

sonic_status register_one(TorchLibraryHandle definitions, TorchLibraryHandle implementations,
                          const sonic_operator &entry)
{
    Kernel kernel = kernel_of(entry.run);
    if (!kernel)
        return sonic_fail(SONIC_ERROR_INTERNAL, "Raise SLOTS in operators.cpp: there is none for %s.", entry.name);
    if (!define(definitions, entry.name) || torch_library_impl(implementations, entry.name, kernel, TORCH_ABI_VERSION))
        return sonic_fail(SONIC_ERROR_TORCH, "libtorch refused the operator %s: %s", entry.name,
                          sonic::torch_message());
    return SONIC_OK;
}

} // namespace

sonic_status sonic_operators_register(const char *space, const sonic_operator *const *tables, int32_t count)
{
    // Both library objects are kept for the life of the process: deleting them would unregister the operators.
    TorchLibraryHandle definitions = nullptr, implementations = nullptr;
    if (aoti_torch_library_init_def(space, __FILE__, __LINE__, &definitions))
        return SONIC_OK; // this file was loaded before, and its operators are registered
    if (aoti_torch_library_init_impl(space, "CompositeExplicitAutograd", __FILE__, __LINE__, &implementations))
        return sonic_fail(SONIC_ERROR_TORCH, "libtorch refused the namespace %s: %s", space, sonic::torch_message());
    sonic_status status = SONIC_OK;
    for (int32_t i = 0; i < count; i++)
        for (const sonic_operator *entry = tables[i]; !status && entry->name; entry++)
            status = register_one(definitions, implementations, *entry);
    return status;
}

sonic_tensor *sonic_operator_tensor(sonic_operator_call *call, const char *format, ...)
{
    char name[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return sonic_weights_get(call->scope, call->weights, "%s", name);
}

void sonic_operator_probe(sonic_operator_call *call, sonic_tensor *x, const char *format, ...)
{
    if ((!call->probe_count && !call->check_finite) || !x)
        return;
    char name[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    if (call->check_finite && !call->scope->status && !st_is_finite(call->scope, x))
        sonic_scope_fail(call->scope,
                         sonic_fail(SONIC_ERROR_FORMAT,
                                    "Use fp32, or another weight file: the output of '%s' is not finite.", name));
    const char *line = call->probe_names;
    for (int32_t i = 0; i < call->probe_count; i++, line = strchr(line, '\n') + 1)
        if (strncmp(line + 1, name, strlen(name)) == 0 && line[1 + strlen(name)] == '\n')
            call->probes[i] = st_clone(call->scope, x); // x may be changed in place
}

void sonic_operator_return(sonic_operator_call *call, sonic_tensor *x)
{
    if (x && call->output_count < SONIC_OPERATOR_MAX_OUTPUTS)
        call->outputs[call->output_count++] = x;
}
