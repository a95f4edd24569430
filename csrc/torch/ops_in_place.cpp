// In-place operators of tensor.h: a residual network needs no second copy of its activations.
#include <cstdio> // snprintf

#include "torch/internal.h"
#include "torch/optional.h"

using sonic::Call;
using sonic::may_run;

// libtorch's in-place operators return a second handle of x; ours return x, which stays in its scope.
static sonic_tensor *same(sonic_tensor *x, sonic_tensor *result)
{
    st_release(result);
    return result ? x : nullptr;
}

sonic_tensor *st_view(sonic_scope *scope, sonic_tensor *x, sonic_shape shape)
{
    return Call(scope, "aten::view").tensor(x).ints(shape.size, shape.dims).run();
}

sonic_tensor *st_clone(sonic_scope *scope, sonic_tensor *x)
{
    return Call(scope, "aten::clone").tensor(x).none().run();
}

sonic_tensor *st_copy_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y)
{
    return same(x, Call(scope, "aten::copy_").tensor(x).tensor(y).boolean(false).run());
}

sonic_tensor *st_empty_images(sonic_scope *scope, sonic_tensor *x, int64_t count)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS] = {}, *x_strides = nullptr;
    sonic_shape shape = st_shape(x);
    if (!x || aoti_torch_get_strides(x->handle, &x_strides))
        return nullptr;
    for (int32_t i = 1; i < shape.dims; i++)
        strides[i] = x_strides[i];
    strides[0] = shape.size[0] ? st_count(x) / shape.size[0] : 0;
    shape.size[0] = count;
    int32_t dtype = sonic::torch_dtype(st_dtype(x));
    return sonic::empty_strided(scope, "a tensor for the parts of a video", shape, strides, dtype, x);
}

sonic_tensor *st_silu_in_place(sonic_scope *scope, sonic_tensor *x)
{
    return same(x, Call(scope, "aten::silu_").tensor(x).run());
}

sonic_tensor *st_mul_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y)
{
    return same(x, Call(scope, "aten::mul_", "Tensor").tensor(x).tensor(y).run());
}

// add_ takes its factor as a Scalar, which does not cross the stable ABI; this operator takes a tensor on the CPU.
sonic_tensor *st_add_product_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *a, sonic_tensor *b,
                                      double factor)
{
    sonic::cost_meter_moved(scope, {x, x, a, b});
    if (!scope->status && x && a && b && sonic::is_dry_run(scope, x)) {
        Call(scope, "nothing").tensor(a).tensor(b); // releases taken operands
        return x;
    }
    sonic_tensor *scalars = sonic::scalar_list(scope, factor);
    Call call(scope, "aten::_foreach_addcmul_", "Tensor");
    return call.tensors(&x, 1).tensors(&a, 1).tensors(&b, 1).tensor(scalars).run_for_effect() ? x : nullptr;
}

sonic_tensor *st_add_scaled_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, double factor)
{
    return st_add_product_in_place(scope, x, y, sonic::one_like(scope, x), factor);
}

sonic_tensor *st_add_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y)
{
    return st_add_scaled_in_place(scope, x, y, 1.0);
}

sonic_tensor *st_lerp_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, double weight)
{
    return same(
        x, Call(scope, "aten::lerp_", "Tensor").tensor(x).tensor(y).tensor(sonic::scalar_like(scope, weight, x)).run());
}

// A C function of libtorch that newer releases may drop; without it the product needs memory of its own.
using Addmm = AOTITorchError (*)(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle a, AtenTensorHandle b,
                                 float beta, float alpha);

static void fail_in_addmm(sonic_scope *scope, const sonic_tensor *y, const sonic_tensor *weight)
{
    char what[96];
    snprintf(what, sizeof what, "addmm on [%lld,%lld] [%lld,%lld]", (long long)st_size(y, 0), (long long)st_size(y, 1),
             (long long)st_size(weight, 0), (long long)st_size(weight, 1));
    sonic::fail_with_exception(scope, what, y, st_count(y) * (int64_t)sizeof(float));
}

sonic_tensor *st_add_linear_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, sonic_tensor *weight)
{
    static const Addmm addmm = (Addmm)sonic_torch_find(SONIC_TORCH_ADDMM);
    if (!addmm || !x || !y || !weight || !may_run(scope))
        return st_add_in_place(scope, x, st_take(st_linear(scope, y, weight, nullptr)));
    sonic_tensor *columns = st_transpose(scope, weight, 0, 1);
    if (columns && !sonic::is_dry_run(scope, x) && addmm(x->handle, x->handle, y->handle, columns->handle, 1.0f, 1.0f))
        fail_in_addmm(scope, y, weight);
    sonic::Operands operands;
    for (const sonic_tensor *operand : {y, weight})
        operands.add(operand);
    if (scope->meter && !scope->status)
        sonic::cost_meter_operator(scope->meter, "addmm", operands, x);
    st_release(columns);
    for (sonic_tensor *operand : {y, weight})
        st_release_taken(operand);
    return scope->status ? nullptr : x;
}

sonic_tensor *st_conv2d_padded(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                               const int64_t padding[2])
{
    return Call(scope, "aten::conv2d")
        .tensor(x)
        .tensor(weight)
        .optional(bias)
        .ints({1, 1})
        .ints(padding, 2)
        .ints({1, 1})
        .integer(1)
        .run();
}
