// Basic operators of tensor.h, each one call of libtorch's own kernel, so results are bit-equal to eager PyTorch.
#include <torch/csrc/inductor/aoti_torch/generated/c_shim_aten.h> // aoti_torch_aten_pad, _subtract_Tensor

#include "torch/internal.h"

using sonic::Call;

sonic_tensor *st_conv2d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias, int64_t stride,
                        int64_t padding, int64_t groups)
{
    return Call(scope, "aten::conv2d")
        .tensor(x)
        .tensor(weight)
        .optional(bias)
        .ints({stride, stride})
        .ints({padding, padding})
        .ints({1, 1})
        .integer(groups)
        .run();
}

sonic_tensor *st_max_pool2d(sonic_scope *scope, sonic_tensor *x, int64_t kernel, int64_t stride)
{
    return Call(scope, "aten::max_pool2d")
        .tensor(x)
        .ints({kernel, kernel})
        .ints({stride, stride})
        .ints({0, 0})
        .ints({1, 1})
        .boolean(false)
        .run();
}

static bool all_present(sonic_scope *scope, const char *name, std::initializer_list<sonic_tensor *> operands)
{
    for (const sonic_tensor *x : operands)
        if (!x) {
            sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_INTERNAL, "%s failed: an operand is missing", name));
            return false;
        }
    return true;
}

// Not through the dispatcher: a string argument leaks about 100 bytes there (torch 2.13).
sonic_tensor *st_pad(sonic_scope *scope, sonic_tensor *x, const int64_t *sides, int32_t count)
{
    if (!sonic::may_run(scope) || !all_present(scope, "pad", {x}))
        return nullptr;
    AtenTensorHandle padded = nullptr;
    if (aoti_torch_aten_pad(x->handle, sides, count, "constant", nullptr, &padded)) {
        sonic::fail_with_exception(scope, "pad", x, st_count(x) * (int64_t)sizeof(float));
        return nullptr;
    }
    sonic_tensor *y = sonic::adopt(scope, padded);
    sonic::cost_meter_moved(scope, {x, y});
    st_release_taken(x);
    return y;
}

sonic_tensor *st_relu(sonic_scope *scope, sonic_tensor *x) { return Call(scope, "aten::relu").tensor(x).run(); }

sonic_tensor *st_prelu(sonic_scope *scope, sonic_tensor *x, sonic_tensor *slope)
{
    return Call(scope, "aten::prelu").tensor(x).tensor(slope).run();
}

sonic_tensor *st_sigmoid(sonic_scope *scope, sonic_tensor *x) { return Call(scope, "aten::sigmoid").tensor(x).run(); }

// aten::add takes a Scalar, which does not cross the stable ABI; subtract has a C function, with alpha.
static sonic_tensor *subtract(sonic_scope *scope, const char *name, sonic_tensor *a, sonic_tensor *b, double alpha)
{
    if (!sonic::may_run(scope) || !all_present(scope, name, {a, b}))
        return nullptr;
    AtenTensorHandle result = sonic::is_dry_run(scope, a) ? sonic::meta_elementwise(a, b) : nullptr;
    if (!result && aoti_torch_aten_subtract_Tensor(a->handle, b->handle, alpha, &result)) {
        sonic::fail_with_exception(scope, name, a, st_count(a) * (int64_t)sizeof(float));
        return nullptr;
    }
    sonic_tensor *sum = sonic::adopt(scope, result);
    sonic::cost_meter_moved(scope, {a, b, sum});
    if (a != b)
        st_release_taken(b);
    st_release_taken(a);
    return sum;
}

sonic_tensor *st_add(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b)
{
    return subtract(scope, "add", a, b, -1.0);
}

sonic_tensor *st_sub(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b) { return subtract(scope, "sub", a, b, 1.0); }

sonic_tensor *st_add_scaled(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b, double factor)
{
    return subtract(scope, "add_scaled", a, b, -factor);
}

sonic_tensor *st_mul(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b)
{
    return Call(scope, "aten::mul", "Tensor").tensor(a).tensor(b).run();
}

sonic_tensor *st_cat(sonic_scope *scope, sonic_tensor *const *parts, int32_t count, int64_t dim)
{
    return Call(scope, "aten::cat").tensors(parts, count).integer(dim).run();
}

sonic_tensor *st_reshape(sonic_scope *scope, sonic_tensor *x, sonic_shape shape)
{
    return Call(scope, "aten::reshape").tensor(x).ints(shape.size, shape.dims).run();
}

sonic_tensor *st_permute(sonic_scope *scope, sonic_tensor *x, const int64_t *order, int32_t dims)
{
    return Call(scope, "aten::permute").tensor(x).ints(order, dims).run();
}

sonic_tensor *st_slice(sonic_scope *scope, sonic_tensor *x, int64_t dim, int64_t start, int64_t length)
{
    return Call(scope, "aten::narrow").tensor(x).integer(dim).integer(start).integer(length).run();
}

sonic_tensor *st_contiguous(sonic_scope *scope, sonic_tensor *x)
{
    return Call(scope, "aten::contiguous").tensor(x).integer(aoti_torch_memory_format_contiguous_format()).run();
}

sonic_tensor *st_to_dtype(sonic_scope *scope, sonic_tensor *x, sonic_dtype dtype)
{
    return Call(scope, "aten::to", "dtype")
        .tensor(x)
        .integer(sonic::torch_dtype(dtype))
        .boolean(false)
        .boolean(false)
        .none()
        .run();
}
