#include "models/unet/unet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/unet/audio_attention.h"
#include "models/unet/embeddings.h"
#include "models/unet/res_block.h"
#include "models/unet/transformer.h"
#include "models/unet/unet_views.h"

/* Sizes */

static void add_attention(sonic_unet *unet, const char *name)
{
    sonic_tensor *weight = sonic_layer_find(&unet->network, "%s.norm.weight", name);
    if (!weight || unet->attention_count == SONIC_UNET_ATTENTIONS_MAX)
        return;
    sonic_unet_attention *layer = &unet->attentions[unet->attention_count++];
    snprintf(layer->name, sizeof layer->name, "%s", name);
    layer->channels = st_size(weight, 0);
    layer->offset = unet->attention_sum;
    unet->attention_sum += layer->channels;
}

static void count_blocks(sonic_unet *unet)
{
    const sonic_network *n = &unet->network;
    while (unet->levels < SONIC_UNET_LEVELS_MAX &&
           sonic_network_has(n, "down_blocks.%d.resnets.0.time_mixer.mix_factor", unet->levels))
        unet->levels++;
    while (unet->layers < SONIC_UNET_LAYERS_MAX &&
           sonic_network_has(n, "down_blocks.0.resnets.%d.time_mixer.mix_factor", unet->layers))
        unet->layers++;
    for (int32_t i = 0; i < unet->levels; i++)
        unet->attends[i] = sonic_network_has(n, "down_blocks.%d.attentions.0.norm.weight", i);
    unet->res_count = unet->levels * (2 * unet->layers + 1) + 2;
}

/* In order of use: down, middle, up. */
static void list_attentions(sonic_unet *unet)
{
    char name[64];
    for (int32_t i = 0; i < unet->levels; i++)
        for (int32_t j = 0; j < unet->layers; j++) {
            snprintf(name, sizeof name, "down_blocks.%d.attentions.%d", (int)i, (int)j);
            add_attention(unet, name);
        }
    add_attention(unet, "mid_block.attentions.0");
    for (int32_t i = 0; i < unet->levels; i++)
        for (int32_t j = 0; j <= unet->layers; j++) {
            snprintf(name, sizeof name, "up_blocks.%d.attentions.%d", (int)i, (int)j);
            add_attention(unet, name);
        }
}

static sonic_status check_sizes(const sonic_unet *unet)
{
    if (unet->levels < 1 || unet->layers < 1 || unet->attention_count < 1)
        return sonic_fail(
            SONIC_ERROR_ARGUMENT,
            "Give Sonic's unet.pth: these weights have %d down blocks and %d attention layers by its names.",
            (int)unet->levels, (int)unet->attention_count);
    for (int32_t i = 0; i < unet->attention_count; i++)
        if (unet->head_dim < 1 || unet->attentions[i].channels % unet->head_dim)
            return sonic_fail(
                SONIC_ERROR_SHAPE, "Give Sonic's unet.pth: the %lld channels of %s do not divide into heads of %lld.",
                (long long)unet->attentions[i].channels, unet->attentions[i].name, (long long)unet->head_dim);
    return SONIC_OK;
}

sonic_status sonic_unet_create(sonic_unet **out, sonic_operator_call *call, const char *prefix, int64_t head_dim)
{
    sonic_unet *unet = *out = calloc(1, sizeof *unet);
    if (!unet)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for the list of the network's layers.");
    unet->network = sonic_network_at(call, "%s", prefix);
    unet->head_dim = head_dim;
    unet->channels = st_size(sonic_layer_find(&unet->network, "conv_in.weight"), 0);
    count_blocks(unet);
    list_attentions(unet);
    sonic_status status = check_sizes(unet);
    if (status) {
        free(unet);
        *out = NULL;
    }
    return status;
}

void sonic_unet_free(sonic_unet *unet) { free(unet); }

/* The network */

enum { SKIPS_MAX = SONIC_UNET_LEVELS_MAX * (SONIC_UNET_LAYERS_MAX + 1) + 1 };

typedef struct skips {
    sonic_tensor *tensor[SKIPS_MAX];
    int32_t count;
} skips;

static void push(skips *skips, sonic_tensor *x)
{
    if (skips->count < SKIPS_MAX)
        skips->tensor[skips->count++] = x;
}

static sonic_tensor *pop(skips *skips) { return skips->count > 0 ? skips->tensor[--skips->count] : NULL; }

static void probe_images(sonic_scope *scope, const sonic_unet_pass *pass, const sonic_network *network, sonic_tensor *x)
{
    if (sonic_unet_is_probed(network))
        sonic_layer_probe(network, sonic_unet_images(scope, pass, x));
}

/* A 3x3 convolution of images; x is taken. Sets rows and columns of the pass. */
static sonic_tensor *convolve(sonic_scope *scope, sonic_unet_pass *pass, const sonic_network *network, const char *name,
                              sonic_tensor *x, int64_t stride)
{
    x = sonic_layer_conv2d(scope, network, name, st_take(x), stride, 1);
    pass->rows = st_size(x, 2), pass->columns = st_size(x, 3);
    return sonic_unet_from_images(scope, pass, x);
}

static sonic_tensor *res_block(sonic_scope *scope, sonic_unet_pass *pass, const sonic_network *block, int32_t index,
                               sonic_tensor *x, double epsilon)
{
    sonic_network resnet = sonic_network_part(block, "resnets.%d", (int)index);
    return sonic_unet_res_block(scope, pass, &resnet, x, epsilon);
}

static void transformer(sonic_scope *scope, sonic_unet_pass *pass, const sonic_network *block, int32_t index,
                        sonic_tensor *x)
{
    sonic_network attention = sonic_network_part(block, "attentions.%d", (int)index);
    sonic_unet_transformer(scope, pass, &attention, x);
}

/* Every x is kept as a skip, none is released. Blocks without transformers were trained with the larger epsilon. */
static sonic_tensor *down_block(sonic_scope *scope, sonic_unet_pass *pass, skips *skips, int32_t level, sonic_tensor *x)
{
    const sonic_unet *unet = pass->unet;
    sonic_network block = sonic_network_part(&unet->network, "down_blocks.%d", (int)level);
    for (int32_t j = 0; j < unet->layers; j++) {
        x = res_block(scope, pass, &block, j, x, unet->attends[level] ? 1e-6 : 1e-5);
        if (unet->attends[level])
            transformer(scope, pass, &block, j, x);
        push(skips, x);
    }
    if (level + 1 < unet->levels) {
        x = convolve(scope, pass, &block, "downsamplers.0.conv", sonic_unet_images(scope, pass, x), 2);
        pass->level++;
        push(skips, x);
    }
    probe_images(scope, pass, &block, x);
    return x;
}

static sonic_tensor *mid_block(sonic_scope *scope, sonic_unet_pass *pass, sonic_tensor *x)
{
    sonic_network block = sonic_network_part(&pass->unet->network, "mid_block");
    sonic_tensor *y = res_block(scope, pass, &block, 0, x, 1e-5);
    transformer(scope, pass, &block, 0, y);
    sonic_tensor *z = res_block(scope, pass, &block, 1, y, 1e-5);
    st_release(y);
    probe_images(scope, pass, &block, z);
    return z;
}

static sonic_tensor *upsample(sonic_scope *scope, sonic_unet_pass *pass, const sonic_network *block, sonic_tensor *x)
{
    sonic_tensor *images = st_take(sonic_unet_images(scope, pass, st_take(x)));
    pass->level--;
    return convolve(scope, pass, block, "upsamplers.0.conv", st_resize_nearest(scope, images, 2), 1);
}

/* One layer of an up block; the skip is released. */
static sonic_tensor *up_layer(sonic_scope *scope, sonic_unet_pass *pass, skips *skips, int32_t index, int32_t layer,
                              sonic_tensor *x)
{
    const sonic_unet *unet = pass->unet;
    sonic_network block = sonic_network_part(&unet->network, "up_blocks.%d", (int)index);
    sonic_tensor *parts[2] = {x, st_take(pop(skips))};
    sonic_tensor *both = st_cat(scope, parts, 2, 3);
    x = res_block(scope, pass, &block, layer, both, 1e-6);
    st_release(both);
    if (unet->attends[unet->levels - 1 - index])
        transformer(scope, pass, &block, layer, x);
    return x;
}

/* Hands the features before the last layer to the caller, as a second handle of their memory. */
static void give_deep(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x)
{
    if (pass->step->deep_out)
        *pass->step->deep_out = st_return(scope, st_view(scope, x, st_shape(x)));
}

/* x and the skips are released. */
static sonic_tensor *up_block(sonic_scope *scope, sonic_unet_pass *pass, skips *skips, int32_t index, sonic_tensor *x)
{
    const sonic_unet *unet = pass->unet;
    sonic_network block = sonic_network_part(&unet->network, "up_blocks.%d", (int)index);
    for (int32_t j = 0; j <= unet->layers; j++) {
        if (index + 1 == unet->levels && j == unet->layers)
            give_deep(scope, pass, x);
        x = up_layer(scope, pass, skips, index, j, st_take(x));
    }
    if (index + 1 < unet->levels)
        x = upsample(scope, pass, &block, x);
    probe_images(scope, pass, &block, x);
    return x;
}

/* x [.., channels, rows, columns] -> [images, channels, rows, columns], channels last, in dtype and on the device of
 * the weights */
static sonic_tensor *as_input(sonic_scope *scope, sonic_tensor *x, int64_t images, sonic_tensor *weight)
{
    int32_t dims = st_shape(x).dims;
    x = st_reshape(scope, x, st_shape4(images, st_size(x, dims - 3), st_size(x, dims - 2), st_size(x, dims - 1)));
    return st_channels_last(scope, st_take(st_cast_like(scope, st_take(x), weight)));
}

/* conv_in of the four noisy channels, which all branches share, plus that of the image latents, which is constant in a
 * run. */
static sonic_tensor *conv_in_split(sonic_scope *scope, sonic_unet_pass *pass)
{
    sonic_tensor *weight = sonic_layer_weight(scope, &pass->unet->network, "conv_in.weight");
    sonic_tensor *x = as_input(scope, pass->step->sample, pass->frame_count, weight);
    x = st_conv2d(scope, st_take(x), st_take(st_slice(scope, weight, 1, 0, st_size(x, 1))), NULL, 1, 1, 1);
    sonic_tensor *latents = st_slice(scope, pass->constants->latents, 0, pass->step->first_branch, pass->branch_count);
    int64_t channels = st_size(x, 1);
    x = st_reshape(scope, st_take(x), (sonic_shape){5, {1, pass->frame_count, channels, pass->rows, pass->columns}});
    latents = st_reshape(scope, st_take(latents),
                         (sonic_shape){5, {pass->branch_count, 1, channels, pass->rows, pass->columns}});
    x = st_add(scope, st_take(x), st_take(latents));
    return st_reshape(scope, st_take(x),
                      st_shape4(pass->branch_count * pass->frame_count, channels, pass->rows, pass->columns));
}

static sonic_tensor *conv_in(sonic_scope *scope, sonic_unet_pass *pass)
{
    const sonic_network *network = &pass->unet->network;
    if (pass->constants->latents)
        return sonic_unet_from_images(scope, pass, conv_in_split(scope, pass));
    sonic_tensor *x = as_input(scope, pass->step->sample, pass->branch_count * pass->frame_count,
                               sonic_layer_weight(scope, network, "conv_in.weight"));
    return convolve(scope, pass, network, "conv_in", x, 1);
}

/* x is released. */
static sonic_tensor *conv_out(sonic_scope *scope, sonic_unet_pass *pass, sonic_tensor *x)
{
    const sonic_network *network = &pass->unet->network;
    sonic_tensor *n = sonic_unet_norm_frames_silu(scope, network, "conv_norm_out", st_take(x), NULL, 1e-5);
    sonic_tensor *y =
        sonic_layer_conv2d(scope, network, "conv_out", st_take(sonic_unet_images(scope, pass, st_take(n))), 1, 1);
    sonic_shape shape = {5, {pass->branch_count, pass->frame_count, st_size(y, 1), pass->rows, pass->columns}};
    return st_contiguous(scope, st_take(st_reshape(scope, st_take(y), shape)));
}

static void probe_conv_in(sonic_scope *scope, const sonic_unet_pass *pass, sonic_tensor *x)
{
    sonic_network layer = sonic_network_part(&pass->unet->network, "conv_in");
    probe_images(scope, pass, &layer, x);
}

/* The last layer alone. */
static sonic_tensor *forward_shallow(sonic_scope *scope, sonic_unet_pass *pass)
{
    const sonic_unet *unet = pass->unet;
    skips skips = {{NULL}, 0};
    push(&skips, conv_in(scope, pass));
    pass->next_res = unet->res_count - 1;
    pass->next_attention = unet->attention_count - (unet->attends[0] ? 1 : 0);
    sonic_tensor *x = up_layer(scope, pass, &skips, unet->levels - 1, unet->layers, pass->step->deep);
    return conv_out(scope, pass, x);
}

static sonic_tensor *forward(sonic_scope *scope, sonic_unet_pass *pass)
{
    skips skips = {{NULL}, 0};
    sonic_tensor *x = conv_in(scope, pass);
    probe_conv_in(scope, pass, x);
    push(&skips, x);
    for (int32_t i = 0; i < pass->unet->levels; i++)
        x = down_block(scope, pass, &skips, i, x);
    x = mid_block(scope, pass, x);
    for (int32_t i = 0; i < pass->unet->levels; i++)
        x = up_block(scope, pass, &skips, i, x);
    return conv_out(scope, pass, x);
}

static bool has_format(const sonic_tensor *x, sonic_dtype dtype, int64_t rows, int64_t columns)
{
    return st_data(x) && st_dtype(x) == dtype && (rows < 0 || st_size(x, 0) == rows) &&
           (columns < 0 || st_size(x, 1) == columns);
}

/* Checks the constants that this code reads itself; libtorch checks the others. */
static sonic_status check_constants(const sonic_unet *unet, const sonic_unet_constants *c)
{
    if (!has_format(c->layout, SONIC_DTYPE_INT64, -1, 4) || st_size(c->layout, 0) > SONIC_UNET_BRANCHES_MAX ||
        !has_format(c->rectangles, SONIC_DTYPE_INT64, unet->levels, 4) ||
        !has_format(c->mixes, SONIC_DTYPE_FLOAT32, unet->res_count + unet->attention_count, -1) || !c->positions ||
        !c->masks || !c->audio || !has_format(c->audio_scale, SONIC_DTYPE_FLOAT32, 1, -1) || !c->image_spatial ||
        !c->image_temporal)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Give the constants that unet_prepare made for these very weights.");
    return SONIC_OK;
}

static sonic_status check_step(const sonic_unet_pass *pass)
{
    const sonic_unet_step *step = pass->step;
    const sonic_unet_constants *c = pass->constants;
    sonic_shape shape = st_shape(step->sample);
    int64_t all = st_size(c->layout, 0), expected = c->latents ? 4 : 5;
    if (shape.dims != expected || shape.size[expected - 4] != step->frame_count ||
        (expected == 5 && shape.size[0] != step->branches))
        return sonic_fail(SONIC_ERROR_SHAPE, "Give the noisy latents of %d frames and %d branches as %s.",
                          (int)step->frame_count, (int)step->branches,
                          c->latents ? "[frames, 4, rows, columns]" : "[branches, frames, 8, rows, columns]");
    if (step->first_branch < 0 || step->branches < 1 || step->first_branch + step->branches > all)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose among the %lld prepared branches: got %d from branch %d on.",
                          (long long)all, (int)step->branches, (int)step->first_branch);
    if (step->deep &&
        (st_shape(step->deep).dims != 4 || st_size(step->deep, 0) != step->branches ||
         st_size(step->deep, 1) != step->frame_count || st_size(step->deep, 2) != pass->rows * pass->columns))
        return sonic_fail(SONIC_ERROR_SHAPE, "Give deep features as [%d, %d, %lld, channels].", (int)step->branches,
                          (int)step->frame_count, (long long)(pass->rows * pass->columns));
    if (step->frame_count < 1 || step->frame_count > st_size(c->positions, 0))
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Prepare for windows of %d frames: the run was prepared for %lld.",
                          (int)step->frame_count, (long long)st_size(c->positions, 0));
    return SONIC_OK;
}

static sonic_unet_pass pass_for(const sonic_unet *unet, const sonic_unet_constants *constants,
                                const sonic_unet_step *step)
{
    int32_t dims = st_shape(step->sample).dims;
    sonic_unet_pass pass = {0};
    pass.unet = unet, pass.constants = constants, pass.step = step;
    pass.branch_count = step->branches, pass.frame_count = step->frame_count;
    pass.rows = st_size(step->sample, dims - 2), pass.columns = st_size(step->sample, dims - 1);
    return pass;
}

sonic_tensor *sonic_unet_run(sonic_scope *outer, const sonic_unet *unet, const sonic_unet_constants *constants,
                             const sonic_unet_step *step)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_unet_pass pass = pass_for(unet, constants, step);
    sonic_scope_fail(&s, s.status ? s.status : check_constants(unet, constants));
    sonic_scope_fail(&s, s.status ? s.status : check_step(&pass));
    sonic_tensor *weight = sonic_layer_weight(&s, &unet->network, "conv_in.weight"), *y = NULL;
    if (!s.status) {
        pass.frames = st_to_device_of(&s, st_take(st_indices(&s, step->frames, step->frame_count)), weight);
        sonic_unet_gather_audio(&s, &pass, weight);
        sonic_tensor *embedding = sonic_unet_embed_step(&s, &unet->network, step->timestep, step->ids);
        pass.embedding = st_cast_like(&s, st_take(st_silu_in_place(&s, embedding)), weight);
        y = st_return(&s, step->deep ? forward_shallow(&s, &pass) : forward(&s, &pass));
    }
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}
