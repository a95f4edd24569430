#include "kernels/kernel_operators.h"

#include "kernels/fused.h"

static double number(const sonic_operator_call *call, int32_t i)
{
    return i < call->number_count ? call->numbers[i] : 0;
}

/* tensors: "x", "weight", "bias", perhaps "before"; numbers: groups, epsilon, silu. */
static void group_norm(sonic_operator_call *call)
{
    sonic_tensor *y =
        sonic_fused_group_norm(call->scope, sonic_operator_tensor(call, "x"), (int64_t)number(call, 0),
                               sonic_weights_find(call->weights, "before"), sonic_operator_tensor(call, "weight"),
                               sonic_operator_tensor(call, "bias"), number(call, 1), number(call, 2) != 0);
    sonic_operator_return(call, y);
}

/* tensors: "both", which stays as it is. */
static void geglu(sonic_operator_call *call)
{
    sonic_operator_return(call,
                          sonic_fused_geglu(call->scope, st_clone(call->scope, sonic_operator_tensor(call, "both"))));
}

/* tensors: "x", "weight", "bias", perhaps "before"; numbers: epsilon, and 1 to change x itself and not a copy. Returns
 * the normalised rows, then x. */
static void layer_norm(sonic_operator_call *call)
{
    sonic_tensor *x = sonic_operator_tensor(call, "x");
    x = number(call, 1) != 0 ? x : st_clone(call->scope, x);
    sonic_tensor *y = sonic_fused_layer_norm(call->scope, x, sonic_weights_find(call->weights, "before"),
                                             sonic_operator_tensor(call, "weight"), sonic_operator_tensor(call, "bias"),
                                             number(call, 0));
    sonic_operator_return(call, y);
    sonic_operator_return(call, x);
}

/* tensors: "x", "y", "bias"; numbers: factor. Returns the sum; x stays as it is. */
static void add_scaled(sonic_operator_call *call)
{
    sonic_tensor *x = st_clone(call->scope, sonic_operator_tensor(call, "x"));
    sonic_fused_add_scaled(call->scope, x, sonic_operator_tensor(call, "y"), number(call, 0),
                           sonic_operator_tensor(call, "bias"));
    sonic_operator_return(call, x);
}

const sonic_operator sonic_kernel_operators[] = {
    {"fused_group_norm", group_norm}, {"fused_geglu", geglu}, {"fused_layer_norm", layer_norm},
    {"fused_add_scaled", add_scaled}, {NULL, NULL},
};
