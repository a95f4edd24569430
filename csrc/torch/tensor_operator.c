#include "torch/tensor_operator.h"

#include <stdlib.h> /* strtol */
#include <string.h>

#include "torch/random.h"

typedef sonic_tensor *(*operation)(sonic_scope *scope, sonic_operator_call *call, sonic_tensor *x);

static sonic_tensor *at(sonic_operator_call *call, int32_t i) { return i < call->count ? call->tensors[i] : NULL; }

static int64_t number(sonic_operator_call *call, int32_t i)
{
    return i < call->number_count ? (int64_t)call->numbers[i] : 0;
}

static double real(sonic_operator_call *call, int32_t i) { return i < call->number_count ? call->numbers[i] : 0; }

static sonic_shape numbers_as_shape(sonic_operator_call *call)
{
    sonic_shape shape = {0, {0}};
    for (; shape.dims < call->number_count && shape.dims < SONIC_TENSOR_MAX_DIMS; shape.dims++)
        shape.size[shape.dims] = number(call, shape.dims);
    return shape;
}

#define FUNCTION(name, expression)                                                                                     \
    static sonic_tensor *name(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)                                 \
    {                                                                                                                  \
        return (void)c, (void)x, expression;                                                                           \
    }

FUNCTION(conv1d, st_conv1d(s, x, at(c, 1), at(c, 2), number(c, 0), number(c, 1), number(c, 2)))
FUNCTION(conv2d, st_conv2d(s, x, at(c, 1), at(c, 2), number(c, 0), number(c, 1), number(c, 2)))
FUNCTION(conv2d_padded, st_conv2d_padded(s, x, at(c, 1), at(c, 2), numbers_as_shape(c).size))
FUNCTION(conv3d, st_conv3d(s, x, at(c, 1), at(c, 2), numbers_as_shape(c).size))
FUNCTION(conv_transpose2d, st_conv_transpose2d(s, x, at(c, 1), at(c, 2), number(c, 0), number(c, 1)))
FUNCTION(linear, st_linear(s, x, at(c, 1), at(c, 2)))
FUNCTION(matmul, st_matmul(s, x, at(c, 1)))
FUNCTION(group_norm, st_group_norm(s, x, number(c, 0), at(c, 1), at(c, 2), real(c, 1)))
FUNCTION(group_norm_last, st_group_norm_last(s, x, number(c, 0), at(c, 1), at(c, 2), real(c, 1)))
FUNCTION(layer_norm, st_layer_norm(s, x, at(c, 1), at(c, 2), real(c, 0)))
FUNCTION(relu, st_relu(s, x))
FUNCTION(prelu, st_prelu(s, x, at(c, 1)))
FUNCTION(sigmoid, st_sigmoid(s, x))
FUNCTION(silu, st_silu(s, x))
FUNCTION(hard_swish, st_hard_swish(s, x))
FUNCTION(gelu, st_gelu(s, x))
FUNCTION(exp_, st_exp(s, x))
FUNCTION(sqrt_, st_sqrt(s, x))
FUNCTION(neg, st_neg(s, x))
FUNCTION(softmax, st_softmax(s, x, number(c, 0)))
FUNCTION(attention, st_attention(s, x, at(c, 1), at(c, 2), real(c, 0)))
FUNCTION(add, st_add(s, x, at(c, 1)))
FUNCTION(sub, st_sub(s, x, at(c, 1)))
FUNCTION(mul, st_mul(s, x, at(c, 1)))
FUNCTION(divide, st_div(s, x, at(c, 1)))
FUNCTION(mul_scalar, st_mul_scalar(s, x, real(c, 0)))
FUNCTION(add_scalar, st_add_scalar(s, x, real(c, 0)))
FUNCTION(add_scaled, st_add_scaled(s, x, at(c, 1), real(c, 0)))
FUNCTION(clamp, st_clamp(s, x, real(c, 0), real(c, 1)))
FUNCTION(lerp, st_lerp(s, x, at(c, 1), real(c, 0)))
FUNCTION(lerp_tensor, st_lerp_tensor(s, x, at(c, 1), at(c, 2)))
FUNCTION(is_finite, st_mul_scalar(s, x, st_is_finite(s, x)))
FUNCTION(mean, st_mean(s, x, number(c, 0)))
FUNCTION(sum, st_sum(s, x, number(c, 0)))
FUNCTION(max, st_max(s, x, number(c, 0)))
FUNCTION(max_pool2d, st_max_pool2d(s, x, number(c, 0), number(c, 1)))
FUNCTION(avg_pool2d, st_avg_pool2d(s, x, number(c, 0), number(c, 1)))
FUNCTION(resize_nearest, st_resize_nearest(s, x, number(c, 0)))
FUNCTION(resize_bilinear, st_resize_bilinear(s, x, number(c, 0), number(c, 1)))
FUNCTION(grid_sample, st_grid_sample(s, x, at(c, 1)))
FUNCTION(pad, st_pad(s, x, numbers_as_shape(c).size, c->number_count))
FUNCTION(cat, st_cat(s, c->tensors, c->count, number(c, 0)))
FUNCTION(reshape, st_reshape(s, x, numbers_as_shape(c)))
FUNCTION(expand, st_expand(s, x, numbers_as_shape(c)))
FUNCTION(permute, st_permute(s, x, numbers_as_shape(c).size, c->number_count))
FUNCTION(transpose, st_transpose(s, x, number(c, 0), number(c, 1)))
FUNCTION(slice, st_slice(s, x, number(c, 0), number(c, 1), number(c, 2)))
FUNCTION(gather, st_gather(s, x, number(c, 0), at(c, 1)))
FUNCTION(contiguous, st_contiguous(s, x))
FUNCTION(channels_last, st_channels_last(s, x))
FUNCTION(to_dtype, st_to_dtype(s, x, (sonic_dtype)number(c, 0)))
FUNCTION(to_device_of, st_to_device_of(s, x, at(c, 1)))
FUNCTION(cast_like, st_cast_like(s, x, at(c, 1)))
FUNCTION(view, st_view(s, x, numbers_as_shape(c)))
FUNCTION(clone, st_clone(s, x))
FUNCTION(copy_in_place, st_copy_in_place(s, x, at(c, 1)))
FUNCTION(empty_images, st_empty_images(s, x, number(c, 0)))
FUNCTION(silu_in_place, st_silu_in_place(s, x))
FUNCTION(gelu_in_place, st_gelu_in_place(s, x))
FUNCTION(gelu_by_operator, st_gelu_by_operator(s, x))
FUNCTION(mul_in_place, st_mul_in_place(s, x, at(c, 1)))
FUNCTION(add_in_place, st_add_in_place(s, x, at(c, 1)))
FUNCTION(add_scaled_in_place, st_add_scaled_in_place(s, x, at(c, 1), real(c, 0)))
FUNCTION(add_product_in_place, st_add_product_in_place(s, x, at(c, 1), at(c, 2), real(c, 0)))
FUNCTION(lerp_in_place, st_lerp_in_place(s, x, at(c, 1), real(c, 0)))
FUNCTION(add_linear_in_place, st_add_linear_in_place(s, x, at(c, 1), at(c, 2)))
FUNCTION(indices, st_indices(s, numbers_as_shape(c).size, c->number_count))
FUNCTION(zeros, st_zeros(s, numbers_as_shape(c)))

/* An operator without a result. */
FUNCTION(nothing, ((void)s, NULL))

/* numbers: dtype, seed, values drawn before, shape */
static sonic_tensor *normal(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)
{
    (void)x;
    sonic_generator generator;
    sonic_shape shape = {0, {0}};
    for (int32_t i = 3; i < c->number_count && shape.dims < SONIC_TENSOR_MAX_DIMS; i++)
        shape.size[shape.dims++] = number(c, i);
    sonic_generator_seed(&generator, (uint64_t)number(c, 1));
    st_release(st_normal(s, &generator, st_shape1(number(c, 2)), (sonic_dtype)number(c, 0)));
    return st_normal(s, &generator, shape, (sonic_dtype)number(c, 0));
}

/* (a + b) a, the sum in a scope of its own and released at its last use. */
static sonic_tensor *add_mul_in_inner_scope(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)
{
    sonic_scope inner;
    sonic_scope_open(&inner, s);
    sonic_tensor *sum = st_add(&inner, x, at(c, 1));
    sonic_tensor *product = st_return(&inner, st_mul(&inner, st_take(sum), x));
    return sonic_scope_close(&inner) ? NULL : product;
}

/* Normalises a copy of x that is taken. */
static sonic_tensor *group_norm_last_taken(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)
{
    return st_group_norm_last(s, st_take(st_clone(s, x)), number(c, 0), at(c, 1), at(c, 2), real(c, 1));
}

#define ENTRY(name) {"op=" #name, name}
static const struct {
    const char *name;
    operation run;
} table[] = {
    ENTRY(conv1d),
    ENTRY(conv2d),
    ENTRY(conv3d),
    ENTRY(conv_transpose2d),
    ENTRY(linear),
    ENTRY(matmul),
    ENTRY(group_norm),
    ENTRY(layer_norm),
    ENTRY(relu),
    ENTRY(prelu),
    ENTRY(sigmoid),
    ENTRY(silu),
    ENTRY(hard_swish),
    ENTRY(gelu),
    {"op=exp", exp_},
    {"op=sqrt", sqrt_},
    ENTRY(neg),
    ENTRY(softmax),
    ENTRY(attention),
    ENTRY(add),
    ENTRY(sub),
    ENTRY(mul),
    {"op=div", divide},
    ENTRY(mul_scalar),
    ENTRY(add_scalar),
    ENTRY(add_scaled),
    ENTRY(clamp),
    ENTRY(lerp),
    ENTRY(lerp_tensor),
    ENTRY(is_finite),
    ENTRY(mean),
    ENTRY(sum),
    ENTRY(max),
    ENTRY(max_pool2d),
    ENTRY(avg_pool2d),
    ENTRY(resize_nearest),
    ENTRY(resize_bilinear),
    ENTRY(grid_sample),
    ENTRY(pad),
    ENTRY(cat),
    ENTRY(reshape),
    ENTRY(expand),
    ENTRY(permute),
    ENTRY(transpose),
    ENTRY(slice),
    ENTRY(gather),
    ENTRY(contiguous),
    ENTRY(channels_last),
    ENTRY(to_dtype),
    ENTRY(to_device_of),
    ENTRY(cast_like),
    ENTRY(group_norm_last),
    ENTRY(group_norm_last_taken),
    ENTRY(indices),
    ENTRY(zeros),
    ENTRY(normal),
    ENTRY(nothing),
    ENTRY(add_mul_in_inner_scope),
    ENTRY(conv2d_padded),
    ENTRY(view),
    ENTRY(clone),
    ENTRY(copy_in_place),
    ENTRY(empty_images),
    ENTRY(silu_in_place),
    ENTRY(gelu_in_place),
    ENTRY(gelu_by_operator),
    ENTRY(mul_in_place),
    ENTRY(add_in_place),
    ENTRY(add_scaled_in_place),
    ENTRY(add_product_in_place),
    ENTRY(lerp_in_place),
    ENTRY(add_linear_in_place),
};

static operation find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return table[i].run;
    return NULL;
}

/* For benchmarks: `times` more calls, each in a scope of its own. */
static void repeat(sonic_operator_call *call, operation run, long times)
{
    for (long i = 0; i < times && !call->scope->status; i++) {
        sonic_scope s;
        sonic_scope_open(&s, call->scope);
        run(&s, call, at(call, 0));
        sonic_scope_close(&s);
    }
}

/* See tensor_operator.h. */
static void tensor_operator(sonic_operator_call *call)
{
    size_t length = strcspn(call->names, "*\n");
    operation run = find(call->names, length);
    if (!run) {
        sonic_scope_fail(call->scope,
                         sonic_fail(SONIC_ERROR_ARGUMENT, "tensor.h has no function for '%.60s'", call->names));
        return;
    }
    if (call->names[length] == '*')
        repeat(call, run, strtol(call->names + length + 1, NULL, 10));
    sonic_operator_return(call, run(call->scope, call, at(call, 0)));
}

const sonic_operator sonic_tensor_operators[] = {
    {"tensor_operator", tensor_operator},
    {NULL, NULL},
};
