// Registration of our operators, and the way from libtorch's boxed stack to a C function and back.
//
// Registration uses the C functions, which return an error, and a namespace of our own: the static macro of torch's headers
// ends the process when a second copy of the package is loaded.
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/headeronly/version.h>

#include "torch/internal.h"
#include "torch/operators.h"

namespace {

// Everything on the stack is ours to free, also when something fails on the way.
struct Arguments {
    sonic_scope scope;
    std::vector<sonic_tensor *> tensors;
    std::string names;
    std::vector<double> numbers;

    Arguments() { sonic_scope_open(&scope, nullptr); }
    ~Arguments() { sonic_scope_close(&scope); }
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
    if (torch_string_c_str(text, &data) == AOTI_TORCH_SUCCESS && torch_string_length(text, &length) == AOTI_TORCH_SUCCESS)
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

StableIValue write_outputs(const sonic_operator_call &call)
{
    StableListHandle list = nullptr;
    if (torch_new_list_reserve_size((size_t)call.output_count, &list))
        throw std::runtime_error("no memory for an operator's results");
    for (int32_t i = 0; i < call.output_count; i++) {
        AtenTensorHandle handle = nullptr;
        aoti_torch_new_tensor_handle(call.outputs[i]->handle, &handle);
        torch_list_push_back(list, (StableIValue)handle);
    }
    return (StableIValue)list;
}

// Exceptions are how a boxed kernel reports failure to the dispatcher (torch/csrc/stable/library.h); C code has returned by then.
template <void (*operation)(sonic_operator_call *)>
void boxed(StableIValue *stack, uint64_t, uint64_t)
{
    Arguments arguments;
    read_tensors(&arguments, (StableListHandle)stack[0]);
    read_names(&arguments, (StringHandle)stack[1]);
    read_numbers(&arguments, (StableListHandle)stack[2]);
    sonic_tensor *outputs[SONIC_OPERATOR_MAX_OUTPUTS];
    sonic_operator_call call = {&arguments.scope, arguments.tensors.data(), arguments.names.c_str(), (int32_t)arguments.tensors.size(),
                                arguments.numbers.data(), (int32_t)arguments.numbers.size(), outputs, 0};
    if (!arguments.scope.status)
        operation(&call);
    if (arguments.scope.status)
        throw std::runtime_error(sonic_last_error());
    stack[0] = write_outputs(call);
}

struct Operator {
    const char *name;
    void (*kernel)(StableIValue *, uint64_t, uint64_t);
};

const Operator operators[] = {
    {"tensor_operator", boxed<sonic_tensor_operator>},
    {"face_detector", boxed<sonic_face_detector_operator>},
    {"face_mesh", boxed<sonic_face_mesh_operator>},
    {"face_find", boxed<sonic_face_find_operator>},
    {"face_fit", boxed<sonic_face_fit_operator>},
};

bool define(TorchLibraryHandle library, const char *name)
{
    std::string schema = std::string(name) + "(Tensor[] tensors, str names, float[] numbers) -> Tensor[]";
    return aoti_torch_library_def(library, schema.c_str()) == AOTI_TORCH_SUCCESS;
}

} // namespace

sonic_status sonic_operators_register(const char *space)
{
    // The two library objects are kept for the life of the process: deleting them would unregister the operators.
    TorchLibraryHandle definitions = nullptr, kernels = nullptr;
    if (aoti_torch_library_init_def(space, __FILE__, __LINE__, &definitions))
        return SONIC_OK; // this very file was loaded before, and its operators are there
    if (aoti_torch_library_init_impl(space, "CompositeExplicitAutograd", __FILE__, __LINE__, &kernels))
        return sonic_fail(SONIC_ERROR_TORCH, "libtorch refused the namespace %s: %s", space, sonic::torch_message());
    for (const Operator &entry : operators)
        if (!define(definitions, entry.name) || torch_library_impl(kernels, entry.name, entry.kernel, TORCH_ABI_VERSION))
            return sonic_fail(SONIC_ERROR_TORCH, "libtorch refused the operator %s: %s", entry.name, sonic::torch_message());
    return SONIC_OK;
}

// Position of `name` in a list of names that each end in a newline; -1 when it is absent.
static int32_t position(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (int32_t i = 0; *names; i++) {
        const char *end = strchr(names, '\n');
        if (!end)
            break;
        if ((size_t)(end - names) == length && memcmp(names, name, length) == 0)
            return i;
        names = end + 1;
    }
    return -1;
}

sonic_tensor *sonic_operator_tensor(sonic_operator_call *call, const char *format, ...)
{
    char name[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    int32_t at = position(call->names, name);
    if (at >= 0 && at < call->count)
        return call->tensors[at];
    sonic_scope_fail(call->scope, sonic_fail(SONIC_ERROR_ARGUMENT, "Use the weight file that ships with this version: it has no tensor '%s'.", name));
    return nullptr;
}

void sonic_operator_return(sonic_operator_call *call, sonic_tensor *x)
{
    if (x && call->output_count < SONIC_OPERATOR_MAX_OUTPUTS)
        call->outputs[call->output_count++] = x;
}
