#include "kernels/fused.h"

#include "kernels/arguments.h"
#include "kernels/launch.h"

enum { NORM_CHUNKS = 128, NORM_CHUNK_VALUES = 32768 };

bool sonic_fused_on_device(const sonic_scope *scope, const sonic_tensor *x)
{
    return st_has_values(scope, x) && sonic_kernels_are_loaded(st_device(x), st_dtype(x));
}

/* Whether a kernel can read `part` beside x: NULL, or `count` numbers of the same type on the same device. Pairs of
 * numbers are read at once, so it begins where a pair can. */
static bool fits(const sonic_scope *scope, const sonic_tensor *part, int64_t count, const sonic_tensor *x)
{
    if (!part)
        return true;
    sonic_device own = st_device(part), device = st_device(x);
    uintptr_t address = (uintptr_t)st_device_data(scope, part), pair = st_dtype(x) == SONIC_DTYPE_FLOAT32 ? 8 : 4;
    return address && address % pair == 0 && own.type == device.type && own.index == device.index &&
           st_dtype(part) == st_dtype(x) && st_count(part) == count;
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

static sonic_tensor *geglu_twin(sonic_scope *scope, sonic_tensor *both)
{
    int64_t width = st_size(both, 1) / 2;
    sonic_tensor *a = st_slice(scope, both, 1, 0, width), *gate = st_slice(scope, both, 1, width, width);
    st_mul_in_place(scope, a, st_gelu_in_place(scope, gate));
    return a;
}

sonic_tensor *sonic_fused_geglu(sonic_scope *scope, sonic_tensor *both)
{
    int64_t rows = st_size(both, 0), width = st_size(both, 1) / 2;
    if (scope->status || !sonic_fused_on_device(scope, both) || rows * width == 0 || width % 2 ||
        st_shape(both).dims != 2 || st_size(both, 1) % 2 || !fits(scope, both, st_count(both), both))
        return geglu_twin(scope, both);
    sonic_tensor *out = st_empty(scope, st_shape2(rows, width), st_dtype(both), both);
    const geglu_arguments a = {st_device_data(scope, out), st_device_data(scope, both), (int)width};
    launch(scope, SONIC_KERNEL_GEGLU, both, &a, rows, 1);
    st_release(both);
    return scope->status ? NULL : out;
}

/* Layer normalisation */

sonic_tensor *sonic_fused_layer_norm(sonic_scope *scope, sonic_tensor *x, sonic_tensor *before, sonic_tensor *weight,
                                     sonic_tensor *bias, double epsilon)
{
    int64_t channels = last_size(x);
    bool fused = !scope->status && sonic_fused_on_device(scope, x) && st_count(x) > 0 && channels % 2 == 0 &&
                 fits(scope, x, st_count(x), x) && fits(scope, before, channels, x) && weight && bias &&
                 fits(scope, weight, channels, x) && fits(scope, bias, channels, x);
    if (!fused) {
        if (before)
            st_add_in_place(scope, x, before);
        return st_layer_norm(scope, x, weight, bias, epsilon);
    }
    int64_t rows = st_count(x) / channels;
    sonic_tensor *out = st_empty(scope, st_shape(x), st_dtype(x), x);
    const layer_norm_arguments a = {
        st_device_data(scope, out),
        st_device_data(scope, x),
        st_device_data(scope, before),
        st_device_data(scope, weight),
        st_device_data(scope, bias),
        rows,
        (int)channels,
        (float)epsilon,
    };
    launch(scope, SONIC_KERNEL_LAYER_NORM, x, &a, (rows + KERNEL_NORM_ROWS - 1) / KERNEL_NORM_ROWS, 1);
    st_release_taken(x);
    return scope->status ? NULL : out;
}
