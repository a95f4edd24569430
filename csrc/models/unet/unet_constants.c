#include "models/unet/unet_constants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/unet/embeddings.h"
#include "models/unet/mask.h"
#include "models/unet/unet_internal.h"

void sonic_unet_constants_each(sonic_unet_constants *c,
                               void (*visit)(void *context, const char *name, sonic_tensor **tensor), void *context)
{
    const struct {
        const char *name;
        sonic_tensor **tensor;
    } all[] = {{"layout", &c->layout},
               {"audio", &c->audio},
               {"audio_scale", &c->audio_scale},
               {"image_spatial", &c->image_spatial},
               {"image_temporal", &c->image_temporal},
               {"positions", &c->positions},
               {"masks", &c->masks},
               {"rectangles", &c->rectangles},
               {"mixes", &c->mixes},
               {"latents", &c->latents}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        visit(context, all[i].name, all[i].tensor);
}

/* The conditions of all branches: [rows of all branches, tokens, context], on the device and in the dtype of `like` */
static sonic_tensor *stack(sonic_scope *scope, sonic_tensor *const *parts, int32_t count, sonic_tensor *like)
{
    return st_cast_like(scope, st_take(st_cat(scope, parts, count, 0)), like);
}

/* to_out(to_v(image)): [rows, channels] */
static sonic_tensor *image_vector(sonic_scope *scope, const sonic_network *attn, sonic_tensor *rows)
{
    sonic_tensor *v = st_linear(scope, rows, sonic_layer_weight(scope, attn, "to_v.weight"), NULL);
    return sonic_layer_linear(scope, attn, "to_out.0", st_take(v));
}

/* Of every attention layer of one kind: [rows, sum of channels] */
static sonic_tensor *image_vectors(sonic_scope *outer, const sonic_unet *unet, const char *blocks, sonic_tensor *rows)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *parts[SONIC_UNET_ATTENTIONS_MAX];
    for (int32_t i = 0; i < unet->attention_count; i++) {
        sonic_network attn = sonic_network_part(&unet->network, "%s.%s.0.attn2", unet->attentions[i].name, blocks);
        parts[i] = st_take(image_vector(&s, &attn, rows));
    }
    sonic_tensor *y = st_return(&s, st_cat(&s, parts, unet->attention_count, 1));
    return sonic_scope_close(&s) == SONIC_OK ? y : NULL;
}

static void prepare_audio(sonic_unet_constants *out, sonic_scope *scope, const sonic_unet_conditions *in,
                          const sonic_tensor *like)
{
    const float scale = (float)in->audio_scale;
    sonic_tensor *parts[SONIC_UNET_BRANCHES_MAX];
    for (int32_t b = 0; b < in->branches; b++)
        parts[b] = st_take(st_to_dtype(scope, in->audio[b], st_dtype(like)));
    out->audio = st_cat(scope, parts, in->branches, 0);
    out->audio_scale = st_from_host(scope, &scale, st_shape1(1));
}

static void prepare_image(sonic_unet_constants *out, sonic_scope *outer, const sonic_unet *unet,
                          const sonic_unet_conditions *in, sonic_tensor *like)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *rows = stack(&s, in->image, in->branches, like); /* [rows, 1, context] */
    rows = st_reshape(&s, st_take(rows), st_shape2(st_size(rows, 0), st_size(rows, 2)));
    out->image_spatial = st_return(&s, image_vectors(&s, unet, "transformer_blocks", rows));
    out->image_temporal = st_return(&s, image_vectors(&s, unet, "temporal_transformer_blocks", rows));
    sonic_scope_close(&s);
}

static void prepare_layout(sonic_unet_constants *out, sonic_scope *scope, const sonic_unet_conditions *in)
{
    int64_t layout[4 * SONIC_UNET_BRANCHES_MAX], audio = 0, image = 0;
    for (int32_t b = 0; b < in->branches; b++) {
        int64_t *row = layout + 4 * b;
        row[0] = audio, row[1] = st_size(in->audio[b], 0);
        row[2] = image, row[3] = st_size(in->image[b], 0);
        audio += row[1], image += row[3];
    }
    out->layout = st_reshape(scope, st_take(st_indices(scope, layout, 4 * in->branches)), st_shape2(in->branches, 4));
}

static void prepare_positions(sonic_unet_constants *out, sonic_scope *outer, const sonic_unet *unet, int64_t window,
                              sonic_tensor *like)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *parts[SONIC_UNET_ATTENTIONS_MAX];
    for (int32_t i = 0; i < unet->attention_count; i++) {
        sonic_network attention = sonic_network_part(&unet->network, "%s", unet->attentions[i].name);
        parts[i] = st_take(sonic_unet_embed_positions(&s, &attention, window));
    }
    sonic_tensor *all = st_cat(&s, parts, unet->attention_count, 1);
    out->positions = st_return(&s, st_cast_like(&s, st_take(all), like));
    sonic_scope_close(&s);
}

static void prepare_masks(sonic_unet_constants *out, sonic_scope *scope, const sonic_unet *unet,
                          const sonic_unet_conditions *in, sonic_tensor *like)
{
    int64_t rectangles[4 * SONIC_UNET_LEVELS_MAX], count = 0;
    int32_t dims = st_shape(in->face_mask).dims;
    const float *mask = st_data(in->face_mask);
    float *host = calloc((size_t)(2 * in->rows * in->columns), sizeof *host); /* 1 + 1/4 + 1/16 + ... of level 0 */
    if (!host) {
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for the face mask."));
        return;
    }
    for (int32_t level = 0; level < unet->levels; level++) {
        int64_t rows = in->rows >> level, columns = in->columns >> level;
        sonic_mask_resample(host + count, rows, columns, mask, st_size(in->face_mask, dims - 2),
                            st_size(in->face_mask, dims - 1));
        sonic_mask_bounds(rectangles + 4 * level, host + count, rows, columns);
        count += rows * columns;
    }
    out->masks = st_cast_like(scope, st_take(st_from_host(scope, host, st_shape1(count))), like);
    free(host);
    out->rectangles =
        st_reshape(scope, st_take(st_indices(scope, rectangles, 4 * unet->levels)), st_shape2(unet->levels, 4));
}

/* 1 - sigmoid(mix_factor): the weight of the temporal part */
static float temporal_weight(sonic_scope *scope, sonic_tensor *mix_factor)
{
    float factor = 0;
    if (mix_factor)
        st_to_host(scope, &factor, 1, mix_factor);
    return (float)(1.0 / (1.0 + exp((double)factor)));
}

/* The weights of one block's res blocks, in order; returns how many. */
static int32_t res_weights(float *weights, sonic_scope *scope, const sonic_network *block, int32_t layers)
{
    for (int32_t j = 0; j < layers; j++)
        weights[j] =
            temporal_weight(scope, sonic_layer_weight(scope, block, "resnets.%d.time_mixer.mix_factor", (int)j));
    return layers;
}

static void prepare_mixes(sonic_unet_constants *out, sonic_scope *scope, const sonic_unet *unet)
{
    float weights[2 * SONIC_UNET_ATTENTIONS_MAX];
    int32_t count = 0;
    for (int32_t i = 0; i < unet->levels; i++) {
        sonic_network block = sonic_network_part(&unet->network, "down_blocks.%d", (int)i);
        count += res_weights(weights + count, scope, &block, unet->layers);
    }
    sonic_network mid = sonic_network_part(&unet->network, "mid_block");
    count += res_weights(weights + count, scope, &mid, 2);
    for (int32_t i = 0; i < unet->levels; i++) {
        sonic_network block = sonic_network_part(&unet->network, "up_blocks.%d", (int)i);
        count += res_weights(weights + count, scope, &block, unet->layers + 1);
    }
    for (int32_t i = 0; i < unet->attention_count; i++)
        weights[count++] = temporal_weight(
            scope, sonic_layer_weight(scope, &unet->network, "%s.time_mixer.mix_factor", unet->attentions[i].name));
    out->mixes = st_from_host(scope, weights, st_shape1(count));
}

/* conv_in of the image latents with its bias: [branches, channels, rows, columns] */
static void prepare_latents(sonic_unet_constants *out, sonic_scope *outer, const sonic_unet *unet,
                            const sonic_unet_conditions *in, sonic_tensor *weight)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_tensor *x = stack(&s, in->image_latents, in->branches, weight);
    int64_t channels = st_size(weight, 1) / 2;
    x = st_reshape(&s, st_take(x), st_shape4(in->branches, channels, in->rows, in->columns));
    sonic_tensor *part = st_slice(&s, weight, 1, channels, channels);
    x = st_conv2d(&s, st_take(x), st_take(part), sonic_layer_weight(&s, &unet->network, "conv_in.bias"), 1, 1, 1);
    out->latents = st_return(&s, x);
    sonic_scope_close(&s);
}

static sonic_status check_tensors(const sonic_unet_conditions *in)
{
    for (int32_t b = 0; b < in->branches; b++) {
        if (st_shape(in->image[b]).dims != 3 || st_size(in->image[b], 1) != 1 || st_shape(in->audio[b]).dims != 3)
            return sonic_fail(
                SONIC_ERROR_SHAPE,
                "Give each branch one image token and its audio tokens as [1 or frames, tokens, context].");
        if (!in->image_latents[b] != !in->image_latents[0])
            return sonic_fail(SONIC_ERROR_ARGUMENT, "Give image latents for all branches, or for none.");
    }
    if (!st_data(in->face_mask) || st_dtype(in->face_mask) != SONIC_DTYPE_FLOAT32 || st_shape(in->face_mask).dims < 2 ||
        st_count(in->face_mask) != st_size(in->face_mask, st_shape(in->face_mask).dims - 2) *
                                       st_size(in->face_mask, st_shape(in->face_mask).dims - 1))
        return sonic_fail(SONIC_ERROR_SHAPE, "Give the face mask as one contiguous float32 image in host memory.");
    return SONIC_OK;
}

static sonic_status check_conditions(const sonic_unet *unet, const sonic_unet_conditions *in)
{
    int64_t step = (int64_t)1 << (unet->levels - 1);
    if (in->branches < 1 || in->branches > SONIC_UNET_BRANCHES_MAX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Give 1 to %d branches: got %d.", SONIC_UNET_BRANCHES_MAX,
                          (int)in->branches);
    if (in->window < 1 || in->window > SONIC_UNET_FRAMES_MAX)
        return sonic_fail(SONIC_ERROR_ARGUMENT, "Choose windows of 1 to %d frames: got %lld.", SONIC_UNET_FRAMES_MAX,
                          (long long)in->window);
    if (in->rows < step || in->columns < step || in->rows > SONIC_UNET_SIDE_MAX || in->columns > SONIC_UNET_SIDE_MAX ||
        in->rows % step || in->columns % step)
        return sonic_fail(SONIC_ERROR_SHAPE,
                          "Choose latents whose sides are multiples of %lld, up to %d: they are %lld x %lld.",
                          (long long)step, SONIC_UNET_SIDE_MAX, (long long)in->rows, (long long)in->columns);
    return check_tensors(in);
}

static void return_constant(void *scope, const char *name, sonic_tensor **tensor)
{
    (void)name, *tensor = st_return(scope, *tensor);
}

sonic_status sonic_unet_prepare(sonic_unet_constants *out, sonic_scope *outer, const sonic_unet *unet,
                                const sonic_unet_conditions *in)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    memset(out, 0, sizeof *out);
    sonic_scope_fail(&s, s.status ? s.status : check_conditions(unet, in));
    sonic_tensor *weight = sonic_layer_weight(&s, &unet->network, "conv_in.weight");
    if (!s.status) {
        prepare_layout(out, &s, in);
        prepare_audio(out, &s, in, weight);
        prepare_image(out, &s, unet, in, weight);
        prepare_positions(out, &s, unet, in->window, weight);
        prepare_masks(out, &s, unet, in, weight);
        prepare_mixes(out, &s, unet);
        if (in->image_latents[0])
            prepare_latents(out, &s, unet, in, weight);
        sonic_unet_constants_each(out, return_constant, &s);
    }
    return sonic_scope_close(&s);
}
