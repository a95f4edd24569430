#include "models/rife.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS = 3, SIDE_MULTIPLE = 16 };

/* Refined by each block: flow (x and y to `before`, then to `after`) and the logits of the blending mask. */
typedef struct estimate {
    sonic_tensor *flow; /* [b, 4, rows, columns] in pixels */
    sonic_tensor *mask; /* [b, 1, rows, columns] */
} estimate;

static sonic_tensor *channels(sonic_scope *scope, sonic_tensor *x, int64_t first, int64_t count)
{
    return st_slice(scope, x, 1, first, count);
}

static sonic_tensor *prelu(sonic_scope *scope, const sonic_network *net, const char *name, sonic_tensor *x)
{
    return st_prelu(scope, st_take(x), sonic_layer_weight(scope, net, "%s.weight", name));
}

/* name.0 is a 3x3 convolution, name.1 its PReLU. */
static sonic_tensor *conv_prelu(sonic_scope *scope, const sonic_network *net, const char *name, sonic_tensor *x,
                                int64_t stride)
{
    char part[64];
    snprintf(part, sizeof part, "%s.0", name);
    x = sonic_layer_conv2d(scope, net, part, x, stride, 1);
    snprintf(part, sizeof part, "%s.1", name);
    return prelu(scope, net, part, x);
}

static sonic_tensor *conv_transpose(sonic_scope *scope, const sonic_network *net, const char *name, sonic_tensor *x)
{
    return st_conv_transpose2d(scope, x, sonic_layer_weight(scope, net, "%s.weight", name),
                               sonic_layer_weight(scope, net, "%s.bias", name), 2, 1);
}

/* Two transposed convolutions, four times the size; "conv1" predicts the flow, "conv2" the mask. */
static sonic_tensor *head(sonic_scope *scope, const sonic_network *block, const char *name, sonic_tensor *x)
{
    sonic_network net = sonic_network_part(block, "%s", name);
    x = prelu(scope, &net, "1", conv_transpose(scope, &net, "0", x));
    return conv_transpose(scope, &net, "2", st_take(x));
}

/* x [b, 11, rows, columns] -> features [b, 90, rows / 4, columns / 4]; x is released. */
static sonic_tensor *features(sonic_scope *scope, const sonic_network *block, sonic_tensor *x)
{
    char first[32], second[32];
    x = conv_prelu(scope, block, "conv0.0", st_take(x), 2);
    x = conv_prelu(scope, block, "conv0.1", st_take(x), 2);
    for (int i = 0; sonic_network_has(block, "convblock%d.0.0.weight", i); i++) {
        snprintf(first, sizeof first, "convblock%d.0", i);
        snprintf(second, sizeof second, "convblock%d.1", i);
        sonic_tensor *y = conv_prelu(scope, block, second, st_take(conv_prelu(scope, block, first, x, 1)), 1);
        x = st_add(scope, st_take(y), st_take(x));
    }
    return x;
}

static sonic_tensor *resize(sonic_scope *scope, sonic_tensor *x, int64_t rows, int64_t columns)
{
    return st_size(x, 2) == rows ? st_contiguous(scope, x) : st_resize_bilinear(scope, x, rows, columns);
}

/* One block at 1 / scale of the size: images [b, 7, rows, columns] and the current flow -> increments of flow and mask.
 */
static estimate run_block(sonic_scope *outer, const sonic_network *block, sonic_tensor *images, sonic_tensor *flow,
                          int64_t scale)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    int64_t rows = st_size(flow, 2), columns = st_size(flow, 3);
    sonic_tensor *small = resize(&s, images, rows / scale, columns / scale);
    sonic_tensor *small_flow =
        st_mul_scalar(&s, st_take(resize(&s, flow, rows / scale, columns / scale)), 1.0 / (double)scale);
    sonic_tensor *both[2] = {st_take(small), st_take(small_flow)};
    sonic_tensor *x =
        st_cast_like(&s, st_take(st_cat(&s, both, 2, 1)), sonic_layer_weight(&s, block, "conv0.0.0.weight"));
    x = features(&s, block, x);
    sonic_tensor *df = st_to_dtype(&s, st_take(head(&s, block, "conv1", x)), SONIC_DTYPE_FLOAT32);
    sonic_tensor *dm = st_to_dtype(&s, st_take(head(&s, block, "conv2", st_take(x))), SONIC_DTYPE_FLOAT32);
    estimate change;
    change.flow = st_return(&s, st_mul_scalar(&s, st_take(resize(&s, st_take(df), rows, columns)), (double)scale));
    change.mask = st_return(&s, resize(&s, st_take(dm), rows, columns));
    if (sonic_scope_close(&s) != SONIC_OK)
        change.flow = change.mask = NULL;
    return change;
}

/* (to before, to after) -> (to after, to before) */
static sonic_tensor *swapped(sonic_scope *scope, sonic_tensor *flow)
{
    sonic_tensor *parts[2] = {st_take(channels(scope, flow, 2, 2)), st_take(channels(scope, flow, 0, 2))};
    return st_cat(scope, parts, 2, 1);
}

static sonic_tensor *concat3(sonic_scope *scope, sonic_tensor *a, sonic_tensor *b, sonic_tensor *c)
{
    sonic_tensor *parts[3] = {a, b, c};
    return st_cat(scope, parts, 3, 1);
}

/* Runs the block on the pair in both orders and averages. */
static estimate refine(sonic_scope *outer, const sonic_network *block, sonic_tensor *const warped[2], estimate now,
                       int64_t scale)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *forward = concat3(&s, warped[0], warped[1], now.mask);
    sonic_tensor *backward = concat3(&s, warped[1], warped[0], st_take(st_neg(&s, now.mask)));
    estimate a = run_block(&s, block, st_take(forward), now.flow, scale);
    estimate b = run_block(&s, block, st_take(backward), st_take(swapped(&s, now.flow)), scale);
    sonic_tensor *flow = st_add(&s, st_take(a.flow), st_take(swapped(&s, b.flow)));
    sonic_tensor *mask = st_sub(&s, st_take(a.mask), st_take(b.mask));
    estimate next;
    next.flow = st_return(&s, st_add_scaled(&s, st_take(now.flow), st_take(flow), 0.5));
    next.mask = st_return(&s, st_add_scaled(&s, st_take(now.mask), st_take(mask), 0.5));
    if (sonic_scope_close(&s) != SONIC_OK)
        next.flow = next.mask = NULL;
    return next;
}

/* Where grid_sample finds the pixels: -1 is the centre of the first one of a row or column, 1 of the last. */
typedef struct sampling_grid {
    sonic_tensor *pixels; /* [1, rows, columns, (x, y)] */
    sonic_tensor *unit;   /* [2]: of one pixel */
} sampling_grid;

/* out [count] */
static void coordinates(float *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(2.0 * (double)i / (double)(count - 1) - 1.0);
}

/* The coordinates of columns, of rows, then both units: on the device of `like`, in one copy. */
static sonic_tensor *coordinate_table(sonic_scope *scope, int64_t rows, int64_t columns, sonic_tensor *like)
{
    float *table = malloc((size_t)(columns + rows + 2) * sizeof *table);
    if (!table) {
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_MEMORY,
                                           "Choose a smaller resolution: no memory for a grid of %lld x %lld.",
                                           (long long)columns, (long long)rows));
        return NULL;
    }
    coordinates(table, columns);
    coordinates(table + columns, rows);
    table[columns + rows] = 2.0f / (float)(columns - 1);
    table[columns + rows + 1] = 2.0f / (float)(rows - 1);
    sonic_tensor *out = st_from_host(scope, table, st_shape1(columns + rows + 2));
    free(table);
    return st_to_device_of(scope, st_take(out), like);
}

static sampling_grid sampling_grid_on(sonic_scope *scope, int64_t rows, int64_t columns, sonic_tensor *like)
{
    sonic_shape all = st_shape4(1, rows, columns, 1);
    sonic_tensor *table = coordinate_table(scope, rows, columns, like);
    sonic_tensor *x = st_reshape(scope, st_take(st_slice(scope, table, 0, 0, columns)), st_shape4(1, 1, columns, 1));
    sonic_tensor *y = st_reshape(scope, st_take(st_slice(scope, table, 0, columns, rows)), st_shape4(1, rows, 1, 1));
    sonic_tensor *parts[2] = {st_take(st_expand(scope, st_take(x), all)), st_take(st_expand(scope, st_take(y), all))};
    sampling_grid grid = {st_cat(scope, parts, 2, 3), st_slice(scope, table, 0, columns + rows, 2)};
    st_release(table);
    return grid;
}

/* The image sampled at (x + flow x, y + flow y), border pixels repeated. flow [b, 2, rows, columns] in pixels is taken.
 */
static sonic_tensor *warp(sonic_scope *outer, sonic_tensor *image, sonic_tensor *flow, const sampling_grid *grid)
{
    static const int64_t channels_last[4] = {0, 2, 3, 1};
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *at = st_mul(&s, st_take(st_permute(&s, st_take(flow), channels_last, 4)), grid->unit);
    at = st_add(&s, st_take(at), grid->pixels);
    sonic_tensor *y = st_return(&s, st_grid_sample(&s, image, st_take(at)));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* before m + after (1 - m) */
static sonic_tensor *merge(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *const warped[2],
                           sonic_tensor *mask, int block)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *m = st_sigmoid(&s, mask);
    if (block == BLOCKS - 1)
        sonic_operator_probe(call, m, "mask");
    sonic_tensor *y = st_return(&s, st_lerp_tensor(&s, warped[1], warped[0], st_take(m)));
    sonic_operator_probe(call, y, "merged%d", block);
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

/* Coarse to fine: each block gets the frames warped by the current flow. */
static sonic_tensor *interpolate(sonic_scope *scope, sonic_operator_call *call, const sonic_network *net,
                                 sonic_tensor *const frames[2])
{
    static const int64_t scales[BLOCKS] = {4, 2, 1};
    int64_t batch = st_size(frames[0], 0), rows = st_size(frames[0], 2), columns = st_size(frames[0], 3);
    sampling_grid grid = sampling_grid_on(scope, rows, columns, frames[0]);
    sonic_tensor *warped[2] = {frames[0], frames[1]}, *merged = NULL;
    estimate now = {st_zeros_on(scope, st_shape4(batch, 4, rows, columns), frames[0]),
                    st_zeros_on(scope, st_shape4(batch, 1, rows, columns), frames[0])};
    for (int i = 0; i < BLOCKS && !scope->status; i++) {
        sonic_network block = sonic_network_part(net, "block%d", i);
        now = refine(scope, &block, warped, now, scales[i]);
        sonic_operator_probe(call, now.flow, "flow%d", i);
        for (int k = 0; k < 2; k++) {
            if (i > 0)
                st_release(warped[k]);
            warped[k] = warp(scope, frames[k], channels(scope, now.flow, 2 * k, 2), &grid);
        }
        if (i == BLOCKS - 1 || call->probe_count > 0)
            merged = merge(scope, call, warped, now.mask, i);
    }
    return st_clamp(scope, merged, 0, 1);
}

static void check_frames(sonic_scope *scope, sonic_tensor *before, sonic_tensor *after)
{
    sonic_shape a = st_shape(before), b = st_shape(after);
    bool same = a.dims == 4 && b.dims == 4;
    for (int i = 0; same && i < 4; i++)
        same = a.size[i] == b.size[i];
    if (!scope->status && !same)
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_SHAPE, "Give two frames of one size, [batch, 3, height, width]."));
    else if (!scope->status &&
             (a.size[1] != 3 || st_count(before) < 1 || a.size[2] % SIDE_MULTIPLE || a.size[3] % SIDE_MULTIPLE))
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_SHAPE,
                                    "Resize the frames to sides that are multiples of %d pixels: they are %lld x %lld.",
                                    SIDE_MULTIPLE, (long long)a.size[3], (long long)a.size[2]));
}

sonic_tensor *sonic_rife_between(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *before,
                                 sonic_tensor *after)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_at(call, "module.");
    if (!sonic_network_has(&net, "block0.conv0.0.0.weight"))
        net = sonic_network_at(call, "%s", "");
    check_frames(&s, before, after);
    sonic_tensor *frames[2] = {st_to_dtype(&s, before, SONIC_DTYPE_FLOAT32),
                               st_to_dtype(&s, after, SONIC_DTYPE_FLOAT32)};
    sonic_tensor *y = st_return(&s, interpolate(&s, call, &net, frames));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
