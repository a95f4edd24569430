// GELU. Its call through the stable ABI leaks: libtorch copies the argument `approximate` into a string that it never
// frees (ToImpl<std::string> in torch/csrc/stable/stableivalue_conversions.h), 48 bytes a call, hundreds of calls a
// step.
//
// libtorch's C++ function is therefore looked up by its mangled name, which includes the argument types: if the name
// exists, the types match, and so does the C++ library whose exceptions are caught here. Windows and macOS mangle
// differently. Their names are not looked up on purpose: what the function throws there, for want of memory or for a
// tensor of integers, this binary's C++ library could not catch. They use the stable call, and bear its leak.
#include <exception>
#include <string_view>

#include "torch/internal.h"
#include "torch/optional.h"

using sonic::Call;

namespace
{

// at::Tensor &at::_ops::gelu_out::call(const at::Tensor &self, std::string_view approximate, at::Tensor &out); a handle
// is an at::Tensor * (tensor_handle_to_tensor_pointer in torch/csrc/inductor/aoti_torch/utils.h).
using GeluOut = void *(*)(AtenTensorHandle self, std::string_view approximate, AtenTensorHandle out);

GeluOut gelu_out()
{
    static const GeluOut found = (GeluOut)sonic_torch_find(SONIC_TORCH_GELU);
    return found;
}

bool write_gelu(sonic_scope *scope, const sonic_tensor *out, const sonic_tensor *x)
{
    sonic::cost_meter_moved(scope, {x, out});
    if (sonic::is_dry_run(scope, x))
        return true;
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

} // namespace

sonic_tensor *st_gelu(sonic_scope *scope, sonic_tensor *x)
{
    if (!gelu_out() || !x || scope->status)
        return Call(scope, "aten::gelu").tensor(x).text("none").run();
    bool taken = x->taken;
    x->taken = false; // still read after the first operator
    sonic_tensor *y = Call(scope, "aten::empty_like").tensor(x).none().none().none().none().none().run();
    bool written = y && write_gelu(scope, y, x);
    if (taken)
        st_release(x);
    return written ? y : nullptr;
}

sonic_tensor *st_gelu_in_place(sonic_scope *scope, sonic_tensor *x)
{
    if (gelu_out() && x && sonic::may_run(scope))
        return write_gelu(scope, x, x) ? x : nullptr;
    sonic_tensor *result = Call(scope, "aten::gelu_").tensor(x).text("none").run();
    st_release(result);
    return result ? x : nullptr;
}
