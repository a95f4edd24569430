// Operators of tensor.h for neural networks: convolutions, norms, activations, attention, reductions, resampling.
#include "torch/group_norm.h"
#include "torch/device.h"
#include "torch/internal.h"

using sonic::Call;

sonic_tensor *st_conv1d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias, int64_t stride,
                        int64_t padding, int64_t groups)
{
    return Call(scope, "aten::conv1d")
        .tensor(x)
        .tensor(weight)
        .optional(bias)
        .ints({stride})
        .ints({padding})
        .ints({1})
        .integer(groups)
        .run();
}

sonic_tensor *st_conv3d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                        const int64_t padding[3])
{
    return Call(scope, "aten::conv3d")
        .tensor(x)
        .tensor(weight)
        .optional(bias)
        .ints({1, 1, 1})
        .ints(padding, 3)
        .ints({1, 1, 1})
        .integer(1)
        .run();
}

sonic_tensor *st_conv_transpose2d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                                  int64_t stride, int64_t padding)
{
    return Call(scope, "aten::conv_transpose2d", "input")
        .tensor(x)
        .tensor(weight)
        .optional(bias)
        .ints({stride, stride})
        .ints({padding, padding})
        .ints({0, 0})
        .integer(1)
        .ints({1, 1})
        .run();
}

sonic_tensor *st_linear(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias)
{
    return Call(scope, "aten::linear").tensor(x).tensor(weight).optional(bias).run();
}

sonic_tensor *st_matmul(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b)
{
    return Call(scope, "aten::matmul").tensor(a).tensor(b).run();
}

sonic_tensor *st_group_norm(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *weight,
                            sonic_tensor *bias, double epsilon)
{
    return Call(scope, "aten::group_norm")
        .tensor(x)
        .integer(groups)
        .optional(weight)
        .optional(bias)
        .real(epsilon)
        .boolean(true)
        .run();
}

static bool is_host_float32(const sonic_tensor *x) { return st_data(x) && st_dtype(x) == SONIC_DTYPE_FLOAT32; }

static sonic_tensor *group_norm_in_double(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *weight,
                                          sonic_tensor *bias, double epsilon)
{
    sonic_shape shape = st_shape(x);
    int64_t channels = shape.size[shape.dims - 1],
            tokens = shape.size[0] && channels ? st_count(x) / shape.size[0] / channels : 0;
    sonic::Kept kept(x);
    sonic_tensor *y = Call(scope, "aten::empty_like").tensor(x).none().none().none().none().none().run();
    if (y && (st_count(weight) != channels || st_count(bias) != channels))
        sonic_scope_fail(
            scope,
            sonic_fail(
                SONIC_ERROR_SHAPE,
                "Use the weight file that belongs to this network: %lld channels are normalised with %lld weights.",
                (long long)channels, (long long)st_count(weight)));
    else if (y)
        sonic_scope_fail(scope, sonic_group_norm((float *)st_data(y), (const float *)st_data(x), shape.size[0], tokens,
                                                 channels, groups, (const float *)st_data(weight),
                                                 (const float *)st_data(bias), epsilon));
    sonic::cost_meter_moved(scope, {x, y});
    return y;
}

sonic_tensor *st_group_norm_last(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *weight,
                                 sonic_tensor *bias, double epsilon)
{
    const int64_t to_front[4] = {0, 3, 1, 2}, to_back[4] = {0, 2, 3, 1};
    if (!scope->status && is_host_float32(x) && is_host_float32(weight) && is_host_float32(bias))
        return group_norm_in_double(scope, x, groups, weight, bias, epsilon);
    sonic_tensor *y = st_group_norm(scope, st_take(st_permute(scope, x, to_front, 4)), groups, weight, bias, epsilon);
    return st_contiguous(scope, st_take(st_permute(scope, st_take(y), to_back, 4)));
}

sonic_tensor *st_layer_norm(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                            double epsilon)
{
    int64_t last = st_size(x, st_shape(x).dims - 1);
    return Call(scope, "aten::layer_norm")
        .tensor(x)
        .ints({last})
        .optional(weight)
        .optional(bias)
        .real(epsilon)
        .boolean(true)
        .run();
}

sonic_tensor *st_silu(sonic_scope *scope, sonic_tensor *x) { return Call(scope, "aten::silu").tensor(x).run(); }

sonic_tensor *st_hard_swish(sonic_scope *scope, sonic_tensor *x)
{
    return Call(scope, "aten::hardswish").tensor(x).run();
}

sonic_tensor *st_exp(sonic_scope *scope, sonic_tensor *x) { return Call(scope, "aten::exp").tensor(x).run(); }

sonic_tensor *st_sqrt(sonic_scope *scope, sonic_tensor *x) { return Call(scope, "aten::sqrt").tensor(x).run(); }

sonic_tensor *st_neg(sonic_scope *scope, sonic_tensor *x) { return Call(scope, "aten::neg").tensor(x).run(); }

sonic_tensor *st_softmax(sonic_scope *scope, sonic_tensor *x, int64_t dim)
{
    return Call(scope, "aten::softmax", "int").tensor(x).integer(dim).none().run();
}

static sonic_tensor *attend(sonic_scope *scope, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v, double scale)
{
    Call call(scope, "aten::scaled_dot_product_attention");
    call.tensor(q).tensor(k).tensor(v).none().real(0.0).boolean(false);
    return (scale > 0 ? call.optional_real(scale) : call.none()).boolean(false).run();
}

// Kernels of CUDA have a row of their grid for each sequence: gridDim.y and .z end at 65535 ("CUDA C++ Programming
// Guide", Technical Specifications). Slices of this many each:
enum { SEQUENCES_MAX = 65535, SEQUENCES = 32768 };

static bool exceeds_a_grid(const sonic_scope *scope, const sonic_tensor *q)
{
    return !st_computes_on_host(scope, q) && st_size(q, 0) > SEQUENCES_MAX;
}

static sonic_tensor *attend_in_slices(sonic_scope *outer, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v,
                                      double scale)
{
    sonic::Kept kept_q(q), kept_k(k), kept_v(v);
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *y = Call(&s, "aten::empty_like").tensor(q).none().none().none().none().none().run();
    for (int64_t at = 0, all = st_size(q, 0); at < all && !s.status; at += SEQUENCES) {
        int64_t count = all - at < SEQUENCES ? all - at : (int64_t)SEQUENCES;
        sonic_tensor *part = attend(&s, st_take(st_slice(&s, q, 0, at, count)), st_take(st_slice(&s, k, 0, at, count)),
                                    st_take(st_slice(&s, v, 0, at, count)), scale);
        sonic_tensor *target = st_take(st_slice(&s, y, 0, at, count));
        st_release(Call(&s, "aten::copy_").tensor(target).tensor(st_take(part)).boolean(false).run());
    }
    y = st_return(&s, y);
    return sonic_scope_close(&s) == SONIC_OK ? y : nullptr;
}

sonic_tensor *st_attention(sonic_scope *scope, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v, double scale)
{
    return exceeds_a_grid(scope, q) ? attend_in_slices(scope, q, k, v, scale) : attend(scope, q, k, v, scale);
}

sonic_tensor *st_div(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b)
{
    return Call(scope, "aten::div", "Tensor").tensor(a).tensor(b).run();
}

sonic_tensor *st_mul_scalar(sonic_scope *scope, sonic_tensor *x, double factor)
{
    return st_mul(scope, x, sonic::scalar(scope, factor));
}

sonic_tensor *st_add_scalar(sonic_scope *scope, sonic_tensor *x, double summand)
{
    return st_add(scope, x, sonic::scalar(scope, summand));
}

sonic_tensor *st_clamp(sonic_scope *scope, sonic_tensor *x, double low, double high)
{
    sonic_tensor *limits[2] = {sonic::scalar_like(scope, low, x), sonic::scalar_like(scope, high, x)};
    return Call(scope, "aten::clamp", "Tensor").tensor(x).optional(limits[0]).optional(limits[1]).run();
}

sonic_tensor *st_lerp(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b, double weight)
{
    return Call(scope, "aten::lerp", "Tensor").tensor(a).tensor(b).tensor(sonic::scalar_like(scope, weight, a)).run();
}

sonic_tensor *st_lerp_tensor(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b, sonic_tensor *weight)
{
    return Call(scope, "aten::lerp", "Tensor").tensor(a).tensor(b).tensor(weight).run();
}

sonic_tensor *st_mean(sonic_scope *scope, sonic_tensor *x, int64_t dim)
{
    return Call(scope, "aten::mean", "dim").tensor(x).optional_ints({dim}).boolean(true).none().run();
}

sonic_tensor *st_sum(sonic_scope *scope, sonic_tensor *x, int64_t dim)
{
    return Call(scope, "aten::sum", "dim_IntList").tensor(x).optional_ints({dim}).boolean(true).none().run();
}

sonic_tensor *st_max(sonic_scope *scope, sonic_tensor *x, int64_t dim)
{
    return Call(scope, "aten::amax").tensor(x).ints({dim}).boolean(true).run();
}

sonic_tensor *st_avg_pool2d(sonic_scope *scope, sonic_tensor *x, int64_t kernel, int64_t stride)
{
    return Call(scope, "aten::avg_pool2d")
        .tensor(x)
        .ints({kernel, kernel})
        .ints({stride, stride})
        .ints({0, 0})
        .boolean(false)
        .boolean(true)
        .none()
        .run();
}

// The overloads "vec" take the size as an optional list, which crosses the stable ABI; a plain SymInt[2] does not.
sonic_tensor *st_resize_nearest(sonic_scope *scope, sonic_tensor *x, int64_t factor)
{
    int64_t rows = st_size(x, 2) * factor, columns = st_size(x, 3) * factor;
    return Call(scope, "aten::upsample_nearest2d", "vec").tensor(x).optional_ints({rows, columns}).none().run();
}

sonic_tensor *st_resize_bilinear(sonic_scope *scope, sonic_tensor *x, int64_t rows, int64_t columns)
{
    return Call(scope, "aten::upsample_bilinear2d", "vec")
        .tensor(x)
        .optional_ints({rows, columns})
        .boolean(false)
        .none()
        .run();
}

sonic_tensor *st_grid_sample(sonic_scope *scope, sonic_tensor *x, sonic_tensor *grid)
{
    enum { BILINEAR = 0, BORDER = 1 };
    return Call(scope, "aten::grid_sampler")
        .tensor(x)
        .tensor(grid)
        .integer(BILINEAR)
        .integer(BORDER)
        .boolean(true)
        .run();
}

sonic_tensor *st_gather(sonic_scope *scope, sonic_tensor *x, int64_t dim, sonic_tensor *index)
{
    return Call(scope, "aten::index_select").tensor(x).integer(dim).tensor(index).run();
}

sonic_tensor *st_expand(sonic_scope *scope, sonic_tensor *x, sonic_shape shape)
{
    return Call(scope, "aten::expand").tensor(x).ints(shape.size, shape.dims).boolean(false).run();
}

sonic_tensor *st_transpose(sonic_scope *scope, sonic_tensor *x, int64_t a, int64_t b)
{
    return Call(scope, "aten::transpose", "int").tensor(x).integer(a).integer(b).run();
}

sonic_tensor *st_channels_last(sonic_scope *scope, sonic_tensor *x)
{
    return Call(scope, "aten::contiguous").tensor(x).integer(aoti_torch_memory_format_channels_last()).run();
}
