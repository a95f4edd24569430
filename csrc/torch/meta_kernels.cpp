// Results of operators on tensors of the meta device under a cost meter (cost_meter.h): shape, strides and dtype.
//
// libtorch's own meta kernels are mostly Python, a hundred times slower, and follow no particular device. Here memory
// layouts are those of the kernels on the CPU or on a GPU, because they decide which later views must copy. Shapes are
// not checked: only networks that run are estimated. nullptr: no kernel here, call libtorch.
#include <algorithm> // std::any_of, std::max, std::rotate, std::upper_bound
#include <cstring>   // strcmp, strlen

#include "torch/internal.h"

namespace
{

bool is_one_of(const char *op, std::initializer_list<const char *> names)
{
    return std::any_of(names.begin(), names.end(), [&](const char *name) { return strcmp(op, name) == 0; });
}

int32_t dtype_of(const sonic_tensor *x)
{
    int32_t dtype = 0;
    aoti_torch_get_dtype(x->handle, &dtype);
    return dtype;
}

const int64_t *strides_of(const sonic_tensor *x)
{
    int64_t *strides = nullptr;
    aoti_torch_get_strides(x->handle, &strides);
    return strides;
}

// `order`: the dimensions from the outermost in memory to the innermost.
AtenTensorHandle empty(const sonic_shape &shape, const int32_t *order, int32_t dtype)
{
    int64_t strides[SONIC_TENSOR_MAX_DIMS] = {}, step = 1;
    for (int32_t i = shape.dims - 1; i >= 0; i--) {
        strides[order[i]] = step;
        step *= shape.size[order[i]];
    }
    AtenTensorHandle handle = nullptr;
    return aoti_torch_empty_strided(shape.dims, shape.size, strides, dtype, aoti_torch_device_type_meta(), 0, &handle)
               ? nullptr
               : handle;
}

AtenTensorHandle contiguous(const sonic_shape &shape, int32_t dtype)
{
    const int32_t order[SONIC_TENSOR_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
    return empty(shape, order, dtype);
}

// The layout of elementwise kernels: dense, dimensions in x's order. `shape`: x's, or what x is broadcast to.
AtenTensorHandle like(const sonic_tensor *x, const sonic_shape &shape)
{
    const int64_t *strides = strides_of(x);
    int32_t order[SONIC_TENSOR_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int32_t i = 0; i < shape.dims; i++)
        if (strides[i] == 0 && st_size(x, i) > 1)
            return nullptr;
    // stable; std::stable_sort would allocate
    for (int32_t *at = order; at < order + shape.dims; at++)
        std::rotate(std::upper_bound(order, at, *at, [&](int32_t a, int32_t b) { return strides[a] > strides[b]; }), at,
                    at + 1);
    return empty(shape, order, dtype_of(x));
}

// As is_channels_last_strides_2d in c10/core/MemoryFormat.h.
bool is_channels_last(const sonic_tensor *x)
{
    sonic_shape shape = st_shape(x);
    const int64_t *strides = strides_of(x);
    int64_t least = 0;
    if (shape.dims != 4 || strides[1] == 0)
        return false;
    for (int32_t d : {1, 3, 2, 0}) {
        if (shape.size[d] == 0 || strides[d] < least || (d == 0 && least == strides[1]))
            return false;
        least = strides[d] * std::max<int64_t>(shape.size[d], 1);
    }
    return true;
}

AtenTensorHandle image(const sonic_shape &shape, bool channels_last, int32_t dtype)
{
    const int32_t by_pixel[4] = {0, 2, 3, 1};
    return channels_last && shape.dims == 4 ? empty(shape, by_pixel, dtype) : contiguous(shape, dtype);
}

AtenTensorHandle linear(const sonic_tensor *x, const sonic_tensor *weight)
{
    sonic_shape shape = st_shape(x);
    shape.size[shape.dims - 1] = st_size(weight, 0);
    return contiguous(shape, dtype_of(x));
}

// Matrices or batches of matrices; one of the two may be a single matrix.
AtenTensorHandle matmul(const sonic_tensor *a, const sonic_tensor *b)
{
    sonic_shape left = st_shape(a), right = st_shape(b), shape = left.dims >= right.dims ? left : right;
    if (left.dims < 2 || right.dims < 2)
        return nullptr;
    shape.size[shape.dims - 2] = left.size[left.dims - 2];
    shape.size[shape.dims - 1] = right.size[right.dims - 1];
    return contiguous(shape, dtype_of(a));
}

// Over one dimension, kept with size 1.
AtenTensorHandle reduced(const sonic_tensor *x, const int64_t *dim)
{
    sonic_shape shape = st_shape(x);
    shape.size[*dim < 0 ? *dim + shape.dims : *dim] = 1;
    return contiguous(shape, dtype_of(x));
}

// The flash kernels lay out their result as the queries. On a GPU, float32 and wide heads use the memory-efficient
// kernel, which writes [batch, queries, heads, dim].
AtenTensorHandle attention(const sonic_tensor *q, const sonic_tensor *v, bool for_gpu)
{
    enum { FLASH_DIM_MAX = 256 };
    const int32_t by_query[4] = {0, 2, 1, 3};
    sonic_shape shape = st_shape(q);
    if (shape.dims != 4 || shape.size[3] != st_size(v, 3))
        return nullptr;
    bool flash = !for_gpu || (st_dtype(q) != SONIC_DTYPE_FLOAT32 && shape.size[3] <= FLASH_DIM_MAX);
    return flash ? like(q, shape) : empty(shape, by_query, dtype_of(q));
}

// `stride` and `padding`: one number for each dimension after the channels; dilation 1.
AtenTensorHandle convolution(const sonic_tensor *x, const sonic_tensor *weight, const int64_t *stride,
                             const int64_t *padding)
{
    sonic_shape shape = st_shape(x), kernel = st_shape(weight);
    shape.size[1] = kernel.size[0];
    for (int32_t i = 2; i < shape.dims; i++)
        shape.size[i] = (shape.size[i] + 2 * padding[i - 2] - kernel.size[i]) / stride[i - 2] + 1;
    return image(shape, is_channels_last(x) || is_channels_last(weight), dtype_of(x));
}

AtenTensorHandle transposed_convolution(const sonic_tensor *x, const sonic_tensor *weight, const int64_t *stride,
                                        const int64_t *padding)
{
    sonic_shape shape = st_shape(x), kernel = st_shape(weight);
    shape.size[1] = kernel.size[1];
    for (int32_t i = 2; i < shape.dims; i++)
        shape.size[i] = (shape.size[i] - 1) * stride[i - 2] - 2 * padding[i - 2] + kernel.size[i];
    return image(shape, is_channels_last(x) || is_channels_last(weight), dtype_of(x));
}

AtenTensorHandle resized(const sonic_tensor *x, const int64_t *sides)
{
    sonic_shape shape = st_shape(x);
    shape.size[2] = sides[0], shape.size[3] = sides[1];
    return image(shape, is_channels_last(x), dtype_of(x));
}

AtenTensorHandle sampled(const sonic_tensor *x, const sonic_tensor *grid)
{
    return contiguous(st_shape4(st_size(x, 0), st_size(x, 1), st_size(grid, 1), st_size(grid, 2)), dtype_of(x));
}

AtenTensorHandle joined(sonic_tensor *const *parts, int64_t count, int64_t dim)
{
    sonic_shape shape = st_shape(parts[0]);
    bool channels_last = true;
    for (int64_t i = 0; i < count; i++) {
        channels_last = channels_last && is_channels_last(parts[i]);
        shape.size[dim] += i ? st_size(parts[i], (int32_t)dim) : 0;
        if (dtype_of(parts[i]) != dtype_of(parts[0]))
            return nullptr;
    }
    return image(shape, channels_last, dtype_of(parts[0]));
}

} // namespace

bool sonic::is_dry_run(const sonic_scope *scope, const sonic_tensor *x)
{
    int32_t device = 0;
    return scope->meter && x && aoti_torch_get_device_type(x->handle, &device) == AOTI_TORCH_SUCCESS &&
           device == aoti_torch_device_type_meta();
}

AtenTensorHandle sonic::meta_elementwise(const sonic_tensor *a, const sonic_tensor *b)
{
    sonic_shape shape = st_shape(a), other = st_shape(b);
    int32_t extra = shape.dims - other.dims;
    if (extra < 0 || (other.dims > 0 && dtype_of(a) != dtype_of(b)))
        return nullptr;
    for (int32_t i = 0; i < other.dims; i++)
        shape.size[extra + i] = std::max(shape.size[extra + i], other.size[i]);
    return like(a, shape);
}

AtenTensorHandle sonic::meta_kernel(const char *op, const Argument *arguments, bool for_gpu)
{
    const sonic_tensor *x = arguments[0].operand, *y = arguments[1].operand;
    AtenTensorHandle same = nullptr;
    if (x && op[strlen(op) - 1] == '_')
        return aoti_torch_new_tensor_handle(x->handle, &same) ? nullptr : same;
    if (is_one_of(op, {"aten::silu", "aten::gelu", "aten::relu", "aten::prelu", "aten::sigmoid", "aten::exp",
                       "aten::sqrt", "aten::neg", "aten::clamp", "aten::empty_like", "aten::hardswish"}))
        return like(x, st_shape(x));
    if (is_one_of(op, {"aten::mul", "aten::div", "aten::lerp"}))
        return meta_elementwise(x, y);
    if (strcmp(op, "aten::group_norm") == 0) // on a GPU the kernel first makes its operand contiguous
        return image(st_shape(x), is_channels_last(x) && !for_gpu, dtype_of(x));
    if (is_one_of(op, {"aten::layer_norm", "aten::softmax"}))
        return contiguous(st_shape(x), dtype_of(x));
    if (strcmp(op, "aten::linear") == 0)
        return linear(x, y);
    if (strcmp(op, "aten::scaled_dot_product_attention") == 0)
        return attention(x, arguments[2].operand, for_gpu);
    if (strcmp(op, "aten::matmul") == 0)
        return matmul(x, y);
    if (is_one_of(op, {"aten::mean", "aten::sum"}))
        return reduced(x, (const int64_t *)arguments[1].items);
    if (is_one_of(op, {"aten::conv1d", "aten::conv2d", "aten::conv3d"})) // weight, bias, stride, padding
        return convolution(x, y, (const int64_t *)arguments[3].items, (const int64_t *)arguments[4].items);
    if (strcmp(op, "aten::conv_transpose2d") == 0)
        return transposed_convolution(x, y, (const int64_t *)arguments[3].items, (const int64_t *)arguments[4].items);
    if (is_one_of(op, {"aten::upsample_nearest2d", "aten::upsample_bilinear2d"}))
        return resized(x, (const int64_t *)arguments[1].items);
    if (strcmp(op, "aten::grid_sampler") == 0)
        return sampled(x, y);
    if (strcmp(op, "aten::cat") == 0)
        return joined((sonic_tensor *const *)arguments[0].items, arguments[0].number, arguments[1].number);
    return nullptr;
}
