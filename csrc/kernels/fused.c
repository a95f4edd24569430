#include "kernels/fused.h"

#include "kernels/arguments.h"
#include "kernels/launch.h"

enum { NORM_CHUNKS = 128, NORM_CHUNK_VALUES = 32768 };

bool sonic_fused_on_device(const sonic_scope *scope, const sonic_tensor *x)
{
    return st_has_values(scope, x) && sonic_kernels_are_loaded(st_device(x), st_dtype(x));
}

/* Pairs of numbers are read at once, so a tensor begins where a pair can. */
static bool begins_a_pair(const sonic_scope *scope, const sonic_tensor *x)
{
    uintptr_t address = (uintptr_t)st_device_address(scope, x);
    return address && address % (st_dtype(x) == SONIC_DTYPE_FLOAT32 ? 8 : 4) == 0;
}

/* Whether a kernel can read `part` beside x: NULL, or contiguous, `count` numbers of x's type on its device. */
static bool fits(const sonic_scope *scope, const sonic_tensor *part, int64_t count, const sonic_tensor *x)
{
    if (!part)
        return true;
    sonic_device own = st_device(part), device = st_device(x);
    return st_device_data(scope, part) && st_dtype(part) == st_dtype(x) && begins_a_pair(scope, part) &&
           own.type == device.type && own.index == device.index && st_count(part) == count;
}

static int64_t last_size(const sonic_tensor *x) { return st_size(x, st_shape(x).dims - 1); }

static void launch(sonic_scope *scope, sonic_kernel kernel, const sonic_tensor *x, const void *arguments,
                   int64_t grid_x, int64_t grid_y)
{
    if (!scope->status)
        sonic_scope_fail(scope, sonic_kernel_launch(kernel, st_device(x), st_dtype(x), arguments, grid_x, grid_y));
}

/* Group normalisation */

static bool group_norm_fits(const sonic_scope *scope, const sonic_tensor *x, int64_t groups, const sonic_tensor *before,
                            const sonic_tensor *weight, const sonic_tensor *bias)
{
    int64_t channels = last_size(x), images = st_size(x, 0);
    return sonic_fused_on_device(scope, x) && st_count(x) > 0 && fits(scope, x, st_count(x), x) && weight && bias &&
           fits(scope, before, channels, x) && fits(scope, weight, channels, x) && fits(scope, bias, channels, x) &&
           groups > 0 && groups <= KERNEL_THREADS && channels % (2 * groups) == 0 && channels <= KERNEL_MAX_CHANNELS &&
           images <= SONIC_KERNEL_GRID_Y;
}

/* So many tokens that a chunk is worth a block, and few enough chunks that adding their sums costs little. */
static int64_t tokens_of_chunk(int64_t tokens, int64_t channels)
{
    int64_t least = (NORM_CHUNK_VALUES + channels - 1) / channels, even = (tokens + NORM_CHUNKS - 1) / NORM_CHUNKS;
    return least > even ? least : even;
}

/* x is not taken: it is read by both kernels. */
static sonic_tensor *group_norm_on_device(sonic_scope *scope, sonic_tensor *x, int64_t groups,
                                          const sonic_tensor *before, const sonic_tensor *weight,
                                          const sonic_tensor *bias, double epsilon, bool silu)
{
    int64_t images = st_size(x, 0), channels = last_size(x), tokens = st_count(x) / images / channels,
            chunk = tokens_of_chunk(tokens, channels), chunks = (tokens + chunk - 1) / chunk;
    sonic_tensor *out = st_empty(scope, st_shape(x), st_dtype(x), x),
                 *sums = st_empty(scope, st_shape4(images, chunks, groups, 2), SONIC_DTYPE_FLOAT32, x);
    const group_norm_arguments a = {
        st_device_data(scope, out),
        st_device_data(scope, x),
        st_device_data(scope, before),
        st_device_data(scope, weight),
        st_device_data(scope, bias),
        st_device_data(scope, sums),
        tokens,
        chunk,
        (int)channels,
        (int)groups,
        (int)chunks,
        (float)epsilon,
        silu,
    };
    launch(scope, SONIC_KERNEL_GROUP_NORM_SUMS, x, &a, chunks, images);
    launch(scope, SONIC_KERNEL_GROUP_NORM_APPLY, x, &a, chunks, images);
    st_release(sums);
    return scope->status ? NULL : out;
}

static sonic_tensor *group_norm_twin(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *before,
                                     sonic_tensor *weight, sonic_tensor *bias, double epsilon, bool silu)
{
    sonic_tensor *sum = before ? st_take(st_add(scope, x, before)) : x;
    sonic_tensor *y = st_group_norm_last(scope, sum, groups, weight, bias, epsilon);
    return silu ? st_silu_in_place(scope, y) : y;
}

sonic_tensor *sonic_fused_group_norm(sonic_scope *scope, sonic_tensor *x, int64_t groups, sonic_tensor *before,
                                     sonic_tensor *weight, sonic_tensor *bias, double epsilon, bool silu)
{
    if (scope->status || !group_norm_fits(scope, x, groups, before, weight, bias))
        return group_norm_twin(scope, x, groups, before, weight, bias, epsilon, silu);
    sonic_tensor *y = group_norm_on_device(scope, x, groups, before, weight, bias, epsilon, silu);
    st_release_taken(x);
    return y;
}

/* GEGLU */

sonic_tensor *sonic_fused_geglu(sonic_scope *scope, sonic_tensor *both)
{
    int64_t rows = st_size(both, 0), width = st_size(both, 1) / 2;
    sonic_tensor *a = st_slice(scope, both, 1, 0, width);
    if (!scope->status && sonic_fused_on_device(scope, both) && rows * width > 0 && width % 2 == 0 &&
        fits(scope, both, 2 * rows * width, both)) {
        const geglu_arguments arguments = {st_device_data(scope, both), (int)width};
        launch(scope, SONIC_KERNEL_GEGLU, both, &arguments, rows, 1);
    } else
        st_mul_in_place(scope, a, st_gelu_in_place(scope, st_slice(scope, both, 1, width, width)));
    return scope->status ? NULL : a;
}

/* Addition */

void sonic_fused_add_scaled(sonic_scope *scope, sonic_tensor *x, sonic_tensor *y, double factor, sonic_tensor *bias)
{
    int64_t channels = last_size(x), rows = channels ? st_count(x) / channels : 0;
    if (scope->status || !sonic_fused_on_device(scope, x) || rows == 0 || channels % 2 || !y || !bias ||
        !fits(scope, x, st_count(x), x) || !fits(scope, y, st_count(x), x) || !fits(scope, bias, channels, x)) {
        st_add_scaled_in_place(scope, x, y, factor);
        st_add_in_place(scope, x, bias);
        return;
    }
    const add_scaled_arguments a = {
        st_device_data(scope, x),
        st_device_data(scope, y),
        st_device_data(scope, bias),
        rows,
        (int)channels,
        (float)factor,
    };
    launch(scope, SONIC_KERNEL_ADD_SCALED, x, &a, (rows + KERNEL_ADD_ROWS - 1) / KERNEL_ADD_ROWS, 1);
    st_release_taken(y);
}

/* Layer normalisation */

/* Lines and columns of x in arguments.h's sense: of a contiguous tensor, or of a rectangle of pictures [images, lines,
 * columns, channels]. False for any other layout. */
static bool set_rows(layer_norm_arguments *a, const sonic_scope *scope, const sonic_tensor *x)
{
    int64_t channels = last_size(x);
    a->channels = (int)channels;
    a->rows = a->columns = channels ? st_count(x) / channels : 0;
    a->lines = 1, a->line_step = a->image_step = 0;
    if (st_device_data(scope, x))
        return true;
    if (st_shape(x).dims != 4 || st_stride(x, 3) != 1 || st_stride(x, 2) != channels)
        return false;
    a->columns = st_size(x, 2), a->lines = st_size(x, 1);
    a->line_step = st_stride(x, 1), a->image_step = st_stride(x, 0);
    return a->line_step % 2 == 0 && a->image_step % 2 == 0;
}

static bool layer_norm_fits(const sonic_scope *scope, const sonic_tensor *x, const sonic_tensor *before,
                            const sonic_tensor *weight, const sonic_tensor *bias)
{
    int64_t channels = last_size(x);
    return sonic_fused_on_device(scope, x) && st_count(x) > 0 && channels % 2 == 0 && begins_a_pair(scope, x) &&
           fits(scope, before, channels, x) && weight && bias && fits(scope, weight, channels, x) &&
           fits(scope, bias, channels, x);
}

sonic_tensor *sonic_fused_layer_norm(sonic_scope *scope, sonic_tensor *x, sonic_tensor *before, sonic_tensor *weight,
                                     sonic_tensor *bias, double epsilon)
{
    layer_norm_arguments a = {0};
    if (scope->status || !layer_norm_fits(scope, x, before, weight, bias) || !set_rows(&a, scope, x)) {
        if (before)
            st_add_in_place(scope, x, before);
        return st_layer_norm(scope, x, weight, bias, epsilon);
    }
    sonic_tensor *out = st_empty(scope, st_shape(x), st_dtype(x), x);
    a.out = st_device_data(scope, out), a.x = st_device_address(scope, x);
    a.before = st_device_data(scope, before), a.weight = st_device_data(scope, weight);
    a.bias = st_device_data(scope, bias), a.epsilon = (float)epsilon;
    launch(scope, SONIC_KERNEL_LAYER_NORM, x, &a, (a.rows + KERNEL_NORM_ROWS - 1) / KERNEL_NORM_ROWS, 1);
    st_release_taken(x);
    return scope->status ? NULL : out;
}
