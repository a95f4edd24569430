/* tensor.h - libtorch behind a C interface: what the networks are written in.
 *
 * A complete program (tests/torch/test_example.py compiles and runs it):
 *
 *     #include <stdio.h>
 *
 *     #include "torch/tensor.h"
 *
 *     // relu(x W^T + b) + x. x [rows, n], weight [n, n], bias [n]. The result belongs to `outer`.
 *     static sonic_tensor *residual(sonic_scope *outer, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias)
 *     {
 *         sonic_scope s;
 *         sonic_scope_open(&s, outer);
 *         sonic_tensor *h = st_relu(&s, st_take(st_linear(&s, x, weight, bias)));
 *         sonic_tensor *y = st_return(&s, st_add(&s, st_take(h), x));
 *         return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
 *     }
 *
 *     int main(void)
 *     {
 *         const float x[2] = {1, -3}, weight[4] = {1, 0, 0, 1}, bias[2] = {2, 1};
 *         float y[2];
 *         sonic_scope s;
 *         sonic_scope_open(&s, NULL);
 *         sonic_tensor *x_tensor = st_from_host(&s, x, st_shape2(1, 2));
 *         sonic_tensor *w = st_from_host(&s, weight, st_shape2(2, 2)), *b = st_from_host(&s, bias, st_shape1(2));
 *         st_to_host(&s, y, 2, residual(&s, x_tensor, w, b));
 *         if (sonic_scope_close(&s) != SONIC_OK) { // one check at the end: errors are sticky
 *             fprintf(stderr, "%s\n", sonic_last_error());
 *             return 1;
 *         }
 *         printf("%g %g\n", y[0], y[1]); // 4 -3
 *         return 0;
 *     }
 *
 * Scopes: tensors are opaque and belong to a scope; closing it frees those that st_return has not moved to its parent.
 *
 * Errors are sticky: the first failure is kept in the scope (its text in sonic_last_error), later calls do nothing and
 * return NULL, and closing the scope passes the failure to its parent. NULL operands in a failed scope are harmless.
 *
 * st_take marks an operand for release as soon as the operator that reads it returns, so a block's peak memory is no
 * more than its mathematics needs. A taken tensor must not be used again.
 *
 * Threads: a scope belongs to one thread; libtorch is called from that thread only (its modes and streams are
 * thread-local). */
#ifndef SONIC_TORCH_TENSOR_H
#define SONIC_TORCH_TENSOR_H

#include <stdbool.h>

#include "sonic.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sonic_tensor sonic_tensor;
struct sonic_generator; /* random.h */

/* Devices that take part in one call of an operator, and their numbers, are below this. */
enum { SONIC_DEVICES_MAX = 16 };

/* Public so that it can be a local variable and opening it cannot fail; the fields are private to csrc/torch. */
typedef struct sonic_scope {
    struct sonic_scope *parent, *root;
    sonic_tensor *first;
    sonic_status status;
    struct sonic_cost_meter *meter; /* cost_meter.h; NULL: nothing is counted */
    /* Of a root: the number 1 on each device, in each dtype that networks compute in */
    sonic_tensor *ones[SONIC_DEVICES_MAX][3];
} sonic_scope;

#define SONIC_TENSOR_MAX_DIMS 8

typedef enum sonic_dtype {
    SONIC_DTYPE_FLOAT32 = 0,
    SONIC_DTYPE_FLOAT16 = 1,
    SONIC_DTYPE_BFLOAT16 = 2,
    SONIC_DTYPE_UINT8 = 3,
    SONIC_DTYPE_INT64 = 4,
    SONIC_DTYPE_OTHER = 99
} sonic_dtype;

typedef struct sonic_shape {
    int32_t dims;
    int64_t size[SONIC_TENSOR_MAX_DIMS];
} sonic_shape;

/* Scopes */
void sonic_scope_open(sonic_scope *scope, sonic_scope *parent); /* parent NULL: a root */
/* Frees the tensors of `scope`; returns its status, which its parent gets too */
sonic_status sonic_scope_close(sonic_scope *scope);
/* Keeps the first failure, and returns the one that is kept */
sonic_status sonic_scope_fail(sonic_scope *scope, sonic_status status);
sonic_tensor *st_take(sonic_tensor *x);
sonic_tensor *st_return(sonic_scope *scope, sonic_tensor *x); /* moves x to the parent of `scope` */
void st_release(sonic_tensor *x);
/* Releases x if it was taken: for functions that read their operand more than once. NULL is accepted. */
void st_release_taken(sonic_tensor *x);

/* Creating and reading tensors. Host copies are float32, C order. */
sonic_tensor *st_from_host(sonic_scope *scope, const float *data, sonic_shape shape);
sonic_tensor *st_zeros(sonic_scope *scope, sonic_shape shape);
/* The same on the device of `like` */
sonic_tensor *st_zeros_on(sonic_scope *scope, sonic_shape shape, const sonic_tensor *like);
typedef struct sonic_device {
    int32_t type, index; /* PyTorch's number of the kind of device; index 0 where a kind has one device */
} sonic_device;

/* The device of x; type -1 for NULL. */
sonic_device st_device(const sonic_tensor *x);
/* Whether x is in host memory, which the CPU computes on. */
bool st_is_on_host(const sonic_tensor *x);
sonic_status st_to_host(sonic_scope *scope, float *out, int64_t count, sonic_tensor *x);
/* Normal noise in host memory: what torch.randn draws for that dtype (float32, float16 or bfloat16). */
sonic_tensor *st_normal(sonic_scope *scope, struct sonic_generator *generator, sonic_shape shape, sonic_dtype dtype);
/* First byte of a contiguous tensor in host memory, valid while x exists; NULL for any other tensor */
void *st_data(const sonic_tensor *x);
sonic_shape st_shape(const sonic_tensor *x);
int64_t st_size(const sonic_tensor *x, int32_t dim); /* 0 for NULL or a dim that x lacks */
int64_t st_count(const sonic_tensor *x);
sonic_dtype st_dtype(const sonic_tensor *x);
static inline sonic_shape st_shape1(int64_t a)
{
    sonic_shape s = {1, {a}};
    return s;
}
static inline sonic_shape st_shape2(int64_t a, int64_t b)
{
    sonic_shape s = {2, {a, b}};
    return s;
}
static inline sonic_shape st_shape3(int64_t a, int64_t b, int64_t c)
{
    sonic_shape s = {3, {a, b, c}};
    return s;
}
static inline sonic_shape st_shape4(int64_t a, int64_t b, int64_t c, int64_t d)
{
    sonic_shape s = {4, {a, b, c, d}};
    return s;
}

/* The largest and the smallest value, float32 [2] on x's device; NaN where x has one */
sonic_tensor *st_extremes(sonic_scope *scope, sonic_tensor *x);
/* True when no value is NaN or infinite. Synchronises with the device: for debugging, not for every run. */
bool st_is_finite(sonic_scope *scope, sonic_tensor *x);
/* False in a dry run on the meta device (cost_meter.h), whose tensors have no values. */
bool st_has_values(const sonic_scope *scope, const sonic_tensor *x);

/* Operators. Images are [batch, channels, rows, columns]; every result is a new tensor of `scope`. */

/* weight [out, in / groups, kh, kw], bias [out] or NULL; the same stride and zero padding in both directions. */
sonic_tensor *st_conv2d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias, int64_t stride,
                        int64_t padding, int64_t groups);
sonic_tensor *st_max_pool2d(sonic_scope *scope, sonic_tensor *x, int64_t kernel, int64_t stride);
/* Zeros on each side of the last dimensions: {left, right, top, bottom, front, back}, `count` numbers, 2 a dimension.
 */
sonic_tensor *st_pad(sonic_scope *scope, sonic_tensor *x, const int64_t *sides, int32_t count);
sonic_tensor *st_relu(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_prelu(sonic_scope *scope, sonic_tensor *x, sonic_tensor *slope); /* slope [channels] */
sonic_tensor *st_sigmoid(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_add(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b); /* broadcasts */
sonic_tensor *st_mul(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b); /* broadcasts */
sonic_tensor *st_cat(sonic_scope *scope, sonic_tensor *const *parts, int32_t count, int64_t dim);
sonic_tensor *st_reshape(sonic_scope *scope, sonic_tensor *x, sonic_shape shape); /* one size may be -1 */
sonic_tensor *st_permute(sonic_scope *scope, sonic_tensor *x, const int64_t *order, int32_t dims);
sonic_tensor *st_slice(sonic_scope *scope, sonic_tensor *x, int64_t dim, int64_t start, int64_t length);
sonic_tensor *st_contiguous(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_to_dtype(sonic_scope *scope, sonic_tensor *x, sonic_dtype dtype);

/* Convolutions. weight [out, in / groups, k...] (transposed: [in, out / groups, k...]), bias [out] or NULL. */
sonic_tensor *st_conv1d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias, int64_t stride,
                        int64_t padding, int64_t groups);
/* x [batch, in, rows, columns], stride 1, zero padding per dimension. */
sonic_tensor *st_conv2d_padded(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                               const int64_t padding[2]);
/* x [batch, in, frames, rows, columns]; stride 1; `padding` per dimension {frames, rows, columns}. */
sonic_tensor *st_conv3d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                        const int64_t padding[3]);
sonic_tensor *st_conv_transpose2d(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                                  int64_t stride, int64_t padding);

/* x W^T + b over the last dimension; weight [out, in], bias [out] or NULL. */
sonic_tensor *st_linear(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias);
sonic_tensor *st_matmul(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b);

/* x [batch, channels, ...], statistics over channels / groups and all later dimensions; weight and bias [channels] or
 * NULL. */
sonic_tensor *st_group_norm(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *weight,
                            sonic_tensor *bias, double epsilon);
/* The same for x [batch, any, any, channels], contiguous. In float32 on the CPU it sums in double (group_norm.h). */
sonic_tensor *st_group_norm_last(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *weight,
                                 sonic_tensor *bias, double epsilon);
/* Over the last dimension; weight and bias [last] or NULL. */
sonic_tensor *st_layer_norm(sonic_scope *scope, sonic_tensor *x, sonic_tensor *weight, sonic_tensor *bias,
                            double epsilon);

sonic_tensor *st_silu(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_hard_swish(sonic_scope *scope, sonic_tensor *x); /* x clamp(x + 3, 0, 6) / 6 */
sonic_tensor *st_gelu(sonic_scope *scope, sonic_tensor *x);       /* the exact erf form */
sonic_tensor *st_exp(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_sqrt(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_neg(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_softmax(sonic_scope *scope, sonic_tensor *x, int64_t dim);
/* softmax(q k^T scale) v; q [batch, heads, queries, dim], k and v [batch, heads, keys, dim]; scale 0 means 1 /
 * sqrt(dim). */
sonic_tensor *st_attention(sonic_scope *scope, sonic_tensor *q, sonic_tensor *k, sonic_tensor *v, double scale);

/* Elementwise with broadcasting. A number as second operand does not change the dtype. */
sonic_tensor *st_sub(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b);
sonic_tensor *st_div(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b);
sonic_tensor *st_mul_scalar(sonic_scope *scope, sonic_tensor *x, double factor);
sonic_tensor *st_add_scalar(sonic_scope *scope, sonic_tensor *x, double summand);
sonic_tensor *st_add_scaled(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b, double factor); /* a + factor b */
sonic_tensor *st_clamp(sonic_scope *scope, sonic_tensor *x, double low, double high);
sonic_tensor *st_lerp(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b, double weight); /* a + weight (b - a) */

/* Reductions over one dimension, which is kept with size 1. */
sonic_tensor *st_mean(sonic_scope *scope, sonic_tensor *x, int64_t dim);
sonic_tensor *st_sum(sonic_scope *scope, sonic_tensor *x, int64_t dim);
sonic_tensor *st_max(sonic_scope *scope, sonic_tensor *x, int64_t dim);

sonic_tensor *st_avg_pool2d(sonic_scope *scope, sonic_tensor *x, int64_t kernel, int64_t stride);
/* Each pixel becomes factor x factor */
sonic_tensor *st_resize_nearest(sonic_scope *scope, sonic_tensor *x, int64_t factor);
/* Half-pixel centres, no antialias */
sonic_tensor *st_resize_bilinear(sonic_scope *scope, sonic_tensor *x, int64_t rows, int64_t columns);
/* Bilinear, border pixels repeated, corners aligned; grid [batch, rows, columns, (x, y)] in -1..1. */
sonic_tensor *st_grid_sample(sonic_scope *scope, sonic_tensor *x, sonic_tensor *grid);

/* a + weight (b - a); weight is a tensor of a's dtype and broadcasts. */
sonic_tensor *st_lerp_tensor(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b, sonic_tensor *weight);

/* The slices index[0..n) of dimension `dim`; index int64 [n] */
sonic_tensor *st_gather(sonic_scope *scope, sonic_tensor *x, int64_t dim, sonic_tensor *index);
sonic_tensor *st_expand(sonic_scope *scope, sonic_tensor *x, sonic_shape shape);
sonic_tensor *st_transpose(sonic_scope *scope, sonic_tensor *x, int64_t a, int64_t b);
sonic_tensor *st_channels_last(sonic_scope *scope, sonic_tensor *x); /* [b, c, h, w] stored as [b, h, w, c] */
/* From host memory to a device, without waiting for what the device has still to do. */
sonic_tensor *st_to_device_of(sonic_scope *scope, sonic_tensor *x, sonic_tensor *like);
sonic_tensor *st_cast_like(sonic_scope *scope, sonic_tensor *x, sonic_tensor *like); /* dtype and device */
/* int64 values from host memory, on the CPU. */
sonic_tensor *st_indices(sonic_scope *scope, const int64_t *values, int64_t count);

/* In place: x itself changes and is returned; so does every tensor that shares its memory. Do not change an operand
 * that the caller still needs. To change part of x use st_view or st_slice, not st_reshape, which may copy. */
/* The same memory in another shape, or an error */
sonic_tensor *st_view(sonic_scope *scope, sonic_tensor *x, sonic_shape shape);
sonic_tensor *st_silu_in_place(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_gelu_in_place(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_gelu_by_operator(sonic_scope *scope, sonic_tensor *x); /* as on Windows and macOS (gelu.cpp) */
sonic_tensor *st_mul_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y);
/* x += y */
sonic_tensor *st_add_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y);
/* x += factor y */
sonic_tensor *st_add_scaled_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, double factor);
/* x += factor a b */
sonic_tensor *st_add_product_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *a, sonic_tensor *b,
                                      double factor);
/* x += weight (y - x) */
sonic_tensor *st_lerp_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, double weight);
/* x += y W^T inside the matrix product: x [n, out] contiguous rows, y [n, in], weight [out, in]. */
sonic_tensor *st_add_linear_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, sonic_tensor *weight);
sonic_tensor *st_clone(sonic_scope *scope, sonic_tensor *x);
sonic_tensor *st_copy_in_place(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y); /* x = y */
/* Uninitialised [count, ...] with the memory layout of x [n, ...], whose first dimension must be outermost. */
sonic_tensor *st_empty_images(sonic_scope *scope, sonic_tensor *x, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
