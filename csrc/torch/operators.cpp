// Registration of operators, and the conversion between libtorch's boxed stack and a C function's arguments.
//
// Registration uses the C functions, which return an error, and a namespace per file: the static macro of torch's
// headers ends the process when a second copy of the package is loaded.
#include <array>
#include <cstdarg>
#include <cstdio>  // vsnprintf
#include <cstdlib> // calloc, free
#include <cstring> // memchr, memcpy, strchr, strncmp
#include <utility> // std::index_sequence

#include <torch/headeronly/version.h> // TORCH_ABI_VERSION

#include "torch/cost_meter.h"
#include "torch/internal.h"
#include "torch/operator_outcome.h"
#include "torch/operators.h"

namespace
{

// What the stack holds, in memory of our own; freed also on failure.
struct Arguments {
    sonic_scope scope;
    sonic_tensor **tensors = nullptr;
    int32_t count = 0, number_count = 0;
    char *names = nullptr;
    double *numbers = nullptr;
    sonic_tensor **probes = nullptr;
    sonic_weights *weights = nullptr;
    sonic_cost_meter *meter = nullptr;

    Arguments() { sonic_scope_open(&scope, nullptr); }
    ~Arguments()
    {
        sonic_weights_free(weights);
        sonic_scope_close(&scope);
        sonic_cost_meter_free(meter);
        for (void *memory : {(void *)tensors, (void *)names, (void *)numbers, (void *)probes})
            free(memory);
    }
    Arguments(const Arguments &) = delete;
    Arguments &operator=(const Arguments &) = delete;
};

void fail_for_memory(sonic_scope *scope, const char *what)
{
    sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for %s.", what));
}

// Zeros, never nullptr for a count of 0; nullptr and a failed scope when memory ran out.
template <typename Item> Item *allocate(sonic_scope *scope, size_t count, const char *what)
{
    auto *items = (Item *)calloc(count + 1, sizeof(Item));
    if (!items)
        fail_for_memory(scope, what);
    return items;
}

// The list owns a reference of each tensor: all leave it, whatever fails.
void read_tensors(Arguments *arguments, StableListHandle list)
{
    size_t size = sonic::list_size(list);
    arguments->tensors = allocate<sonic_tensor *>(&arguments->scope, size, "an operator's tensors");
    for (size_t i = 0; i < size; i++) {
        auto handle = (AtenTensorHandle)sonic::list_item(list, i);
        sonic_tensor *x = arguments->tensors ? sonic::adopt(&arguments->scope, handle) : nullptr;
        if (x)
            arguments->tensors[arguments->count++] = x;
        else if (!arguments->tensors)
            aoti_torch_delete_tensor_object(handle);
    }
    torch_delete_list(list);
}

// The names, the last of them ended by a newline, too.
void copy_names(Arguments *arguments, const char *data, size_t length)
{
    if (memchr(data, 0, length)) {
        sonic_scope_fail(&arguments->scope,
                         sonic_fail(SONIC_ERROR_ARGUMENT, "Give names without zero bytes to an operator."));
        return;
    }
    arguments->names = allocate<char>(&arguments->scope, length + 1, "the names of an operator's tensors");
    if (!arguments->names)
        return;
    memcpy(arguments->names, data, length);
    if (length && data[length - 1] != '\n')
        arguments->names[length] = '\n';
}

void read_names(Arguments *arguments, StringHandle text)
{
    const char *data = nullptr;
    size_t length = 0;
    if (torch_string_c_str(text, &data) || torch_string_length(text, &length))
        sonic_scope_fail(&arguments->scope, sonic_fail(SONIC_ERROR_TORCH, "An operator's names cannot be read."));
    else
        copy_names(arguments, data, length);
    torch_delete_string(text);
}

void read_numbers(Arguments *arguments, StableListHandle list)
{
    size_t size = sonic::list_size(list);
    arguments->numbers = allocate<double>(&arguments->scope, size, "an operator's numbers");
    for (size_t i = 0; arguments->numbers && i < size; i++) {
        StableIValue item = sonic::list_item(list, i);
        memcpy(&arguments->numbers[arguments->number_count++], &item, sizeof item);
    }
    torch_delete_list(list);
}

// Appends a second reference of x to the list.
bool append(StableListHandle list, const sonic_tensor *x)
{
    AtenTensorHandle handle = nullptr;
    if (aoti_torch_new_tensor_handle(x->handle, &handle))
        return false;
    if (torch_list_push_back(list, (StableIValue)handle) == AOTI_TORCH_SUCCESS)
        return true;
    aoti_torch_delete_tensor_object(handle);
    return false;
}

// nullptr and a failed scope when memory ran out.
StableListHandle new_results(const sonic_operator_call &call)
{
    StableListHandle list = nullptr;
    bool made = !torch_new_list_reserve_size((size_t)(call.output_count + call.probe_count), &list);
    for (int32_t i = 0; made && i < call.output_count; i++)
        made = append(list, call.outputs[i]);
    for (int32_t i = 0; made && i < call.probe_count; i++)
        made = append(list, call.probes[i]);
    if (made)
        return list;
    if (list)
        sonic::delete_tensor_list(list);
    fail_for_memory(call.scope, "an operator's results");
    return nullptr;
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
    const char *at = arguments.names;
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
    sonic_scope_fail(scope,
                     sonic_cost_meter_create(&arguments->meter, scope, arguments->tensors, arguments->count, for_gpu));
}

void return_reading(sonic_operator_call *call, const sonic_cost_meter *meter)
{
    sonic_cost_reading r = sonic_cost_meter_read(meter);
    const int64_t values[] = {r.convolution_flops, r.product_flops, r.attention_flops,
                              r.moved_bytes,       r.live_bytes,    r.peak_bytes};
    sonic_operator_return(call, st_indices(call->scope, values, sizeof values / sizeof *values));
}

void read_arguments(Arguments *arguments, const StableIValue *stack)
{
    read_tensors(arguments, (StableListHandle)stack[0]);
    read_names(arguments, (StringHandle)stack[1]);
    read_numbers(arguments, (StableListHandle)stack[2]);
    if (!arguments->scope.status)
        sonic_scope_fail(&arguments->scope, sonic_weights_create(&arguments->weights, arguments->tensors,
                                                                 arguments->count, arguments->names));
}

sonic_operator_call call_of(Arguments *arguments)
{
    sonic_operator_call call = {};
    call.scope = &arguments->scope;
    call.tensors = arguments->tensors;
    call.count = arguments->count;
    call.names = arguments->names;
    call.numbers = arguments->numbers;
    call.number_count = arguments->number_count;
    call.weights = arguments->weights;
    return call;
}

// The operator's results; nullptr: the scope of the arguments has failed.
StableListHandle run_with(Arguments *arguments, sonic_operator_function run)
{
    sonic_scope *scope = &arguments->scope;
    sonic_operator_call call = call_of(arguments);
    bool metered, for_gpu;
    call.probe_names = split_probes(*arguments, &call.probe_count, &call.check_finite, &metered, &for_gpu);
    call.probes = arguments->probes = allocate<sonic_tensor *>(scope, (size_t)call.probe_count, "an operator's probes");
    if (metered && !scope->status)
        attach_meter(arguments, for_gpu);
    if (!scope->status)
        run(&call);
    if (metered && !scope->status)
        return_reading(&call, arguments->meter);
    if (!scope->status)
        check_probes(&call);
    return scope->status ? nullptr : new_results(call);
}

// Replaces the arguments on the stack by the results. Always returns (operator_outcome.h): after a failure the result
// is an empty list, made first, so that there is one when memory has run out; when there is no memory even for that,
// the operands remain.
sonic_status run_boxed(StableIValue *stack, sonic_operator_function run)
{
    StableListHandle results = nullptr, nothing = nullptr;
    if (torch_new_list_reserve_size(0, &nothing)) {
        torch_delete_string((StringHandle)stack[1]);
        torch_delete_list((StableListHandle)stack[2]);
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory to call an operator.");
    }
    Arguments arguments;
    read_arguments(&arguments, stack);
    if (!arguments.scope.status)
        results = run_with(&arguments, run);
    if (results)
        torch_delete_list(nothing);
    stack[0] = (StableIValue)(results ? results : nothing);
    return arguments.scope.status;
}

// A kernel gets no context from the dispatcher, so each operator has a kernel of its own: kernel<i> runs slots[i].
// Slots are written during registration, before the dispatcher knows the kernel, and never change afterwards.
using Kernel = void (*)(StableIValue *, uint64_t, uint64_t);
constexpr size_t SLOTS = 32;
sonic_operator_function slots[SLOTS];

template <size_t slot> void kernel(StableIValue *stack, uint64_t, uint64_t)
{
    sonic_operator_outcome *outcome = sonic_operator_outcome_claim();
    sonic_operator_outcome_report(outcome, run_boxed(stack, slots[slot]));
}

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
    char schema[160];
    int length = snprintf(schema, sizeof schema, "%s(Tensor[] tensors, str names, float[] numbers) -> Tensor[]", name);
    return length < (int)sizeof schema && aoti_torch_library_def(library, schema) == AOTI_TORCH_SUCCESS;
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
    sonic::gelu_name_operator(space);
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
