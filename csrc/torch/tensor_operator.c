/* One function of tensor.h, chosen by name, as an operator: that is how each is tested against eager PyTorch.
 * tensors: the operands in their order; names: "op=" and the function; numbers: its numbers, in their order. */
#include <string.h>

#include "torch/operators.h"

typedef sonic_tensor *(*operation)(sonic_scope *scope, sonic_operator_call *call, sonic_tensor *x);

static sonic_tensor *at(sonic_operator_call *call, int32_t i) { return i < call->count ? call->tensors[i] : NULL; }

static int64_t number(sonic_operator_call *call, int32_t i) { return i < call->number_count ? (int64_t)call->numbers[i] : 0; }

static sonic_shape numbers_as_shape(sonic_operator_call *call)
{
    sonic_shape shape = {0, {0}};
    for (; shape.dims < call->number_count && shape.dims < SONIC_TENSOR_MAX_DIMS; shape.dims++)
        shape.size[shape.dims] = number(call, shape.dims);
    return shape;
}

static sonic_tensor *conv2d(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)
{
    return st_conv2d(s, x, at(c, 1), at(c, 2), number(c, 0), number(c, 1), number(c, 2));
}

static sonic_tensor *max_pool2d(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return st_max_pool2d(s, x, number(c, 0), number(c, 1)); }

static sonic_tensor *pad(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)
{
    sonic_shape sides = numbers_as_shape(c);
    return st_pad(s, x, sides.size, sides.dims);
}

static sonic_tensor *relu(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return (void)c, st_relu(s, x); }

static sonic_tensor *prelu(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return st_prelu(s, x, at(c, 1)); }

static sonic_tensor *sigmoid(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return (void)c, st_sigmoid(s, x); }

static sonic_tensor *add(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return st_add(s, x, at(c, 1)); }

static sonic_tensor *mul(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return st_mul(s, x, at(c, 1)); }

static sonic_tensor *cat(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return (void)x, st_cat(s, c->tensors, c->count, number(c, 0)); }

static sonic_tensor *reshape(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return st_reshape(s, x, numbers_as_shape(c)); }

static sonic_tensor *permute(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)
{
    sonic_shape order = numbers_as_shape(c);
    return st_permute(s, x, order.size, order.dims);
}

static sonic_tensor *slice(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return st_slice(s, x, number(c, 0), number(c, 1), number(c, 2)); }

static sonic_tensor *contiguous(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return (void)c, st_contiguous(s, x); }

static sonic_tensor *to_dtype(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return st_to_dtype(s, x, (sonic_dtype)number(c, 0)); }

static sonic_tensor *zeros(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x) { return (void)x, st_zeros(s, numbers_as_shape(c)); }

static sonic_tensor *take_twice(sonic_scope *s, sonic_operator_call *c, sonic_tensor *x)
{
    sonic_scope inner;
    sonic_scope_open(&inner, s);
    sonic_tensor *sum = st_add(&inner, x, at(c, 1));
    sonic_tensor *product = st_return(&inner, st_mul(&inner, st_take(sum), x));
    return sonic_scope_close(&inner) ? NULL : product;
}

static const struct {
    const char *name;
    operation run;
} table[] = {
    {"op=conv2d", conv2d},   {"op=max_pool2d", max_pool2d}, {"op=pad", pad},         {"op=relu", relu},
    {"op=prelu", prelu},     {"op=sigmoid", sigmoid},       {"op=add", add},         {"op=mul", mul},
    {"op=cat", cat},         {"op=reshape", reshape},       {"op=permute", permute}, {"op=slice", slice},
    {"op=contiguous", contiguous}, {"op=to_dtype", to_dtype}, {"op=zeros", zeros},   {"op=add_mul_in_inner_scope", take_twice},
};

void sonic_tensor_operator(sonic_operator_call *call)
{
    size_t length = strcspn(call->names, "\n");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, call->names, length) == 0) {
            sonic_operator_return(call, table[i].run(call->scope, call, at(call, 0)));
            return;
        }
    sonic_scope_fail(call->scope, sonic_fail(SONIC_ERROR_ARGUMENT, "tensor.h has no function for '%.60s'", call->names));
}
