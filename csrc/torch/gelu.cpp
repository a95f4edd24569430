// GELU. Its call through the stable ABI leaks: libtorch copies the argument `approximate` into a string that it never
// frees (ToImpl<std::string> in torch/csrc/stable/stableivalue_conversions.h), 48 bytes a call, hundreds of calls a
// step. No other operator computes the same, so there are two ways around that call.
//
// On Linux libtorch's C++ function is looked up by its mangled name, which includes the argument types: if the name
// exists, the types match, and so does the C++ library whose exceptions are caught here.
//
// Windows and macOS mangle differently. Their names are not looked up on purpose: what the function throws there, for
// want of memory or for a tensor of integers, this binary's C++ library could not catch. There GELU is an operator
// without a string, NAMESPACE::gelu, which sonic_nodes/extension/gelu.py defines in Python: some microseconds a call.
#include <cstdio> // snprintf
#include <exception>
#include <string_view>

#include "torch/internal.h"
#include "torch/optional.h"

using sonic::Call;

namespace
{

char operator_name[96] = "sonic::gelu";

// at::Tensor &at::_ops::gelu_out::call(const at::Tensor &self, std::string_view approximate, at::Tensor &out); a handle
// is an at::Tensor * (tensor_handle_to_tensor_pointer in torch/csrc/inductor/aoti_torch/utils.h).
using GeluOut = void *(*)(AtenTensorHandle self, std::string_view approximate, AtenTensorHandle out);

GeluOut gelu_out()
{
    static const GeluOut found = (GeluOut)sonic_torch_symbol(
        "_ZN2at4_ops8gelu_out4callERKNS_6TensorESt17basic_string_viewIcSt11char_traitsIcEERS2_");
    return found;
}

bool write_by_function(sonic_scope *scope, const sonic_tensor *out, const sonic_tensor *x)
{
    try {
        gelu_out()(x->handle, "none", out->handle);
        return true;
    } catch (const std::exception &error) {
        sonic::fail_with_text(scope, "gelu", error.what());
    } catch (...) {
        sonic::fail_with_text(scope, "gelu", "");
    }
    return false;
}

bool write_by_operator(sonic_scope *scope, sonic_tensor *out, sonic_tensor *x)
{
    // Found here, since what Python raises travels through libtorch as an exception, which Wine does not survive.
    if (st_dtype(x) == SONIC_DTYPE_INT64 || st_dtype(x) == SONIC_DTYPE_UINT8) {
        if (sonic::may_run(scope))
            sonic::fail_with_text(scope, "gelu", "it needs floating-point numbers, not Long or Int");
        return false;
    }
    return Call(scope, operator_name).tensor(x).tensor(out).run_for_effect();
}

bool write_gelu(sonic_scope *scope, sonic_tensor *out, sonic_tensor *x)
{
    sonic::cost_meter_moved(scope, {x, out});
    if (sonic::is_dry_run(scope, x))
        return true;
    return gelu_out() ? write_by_function(scope, out, x) : write_by_operator(scope, out, x);
}

} // namespace

void sonic::gelu_name_operator(const char *space) { snprintf(operator_name, sizeof operator_name, "%s::gelu", space); }

sonic_tensor *st_gelu(sonic_scope *scope, sonic_tensor *x)
{
    sonic::Kept kept(x);
    sonic_tensor *y = Call(scope, "aten::empty_like").tensor(x).none().none().none().none().none().run();
    return y && write_gelu(scope, y, x) ? y : nullptr;
}

sonic_tensor *st_gelu_in_place(sonic_scope *scope, sonic_tensor *x)
{
    if (!x)
        return st_gelu_by_operator(scope, x);
    return sonic::may_run(scope) && write_gelu(scope, x, x) ? x : nullptr;
}

sonic_tensor *st_gelu_by_operator(sonic_scope *scope, sonic_tensor *x)
{
    return write_by_operator(scope, x, x) ? x : nullptr;
}
