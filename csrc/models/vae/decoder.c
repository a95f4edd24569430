#include "models/vae/decoder.h"

#include "models/vae/video.h"

static sonic_tensor *middle(sonic_scope *scope, const sonic_network *net, sonic_tensor *x, int64_t part_values)
{
    sonic_network first = sonic_network_part(net, "mid.block_1"), attention = sonic_network_part(net, "mid.attn_1"),
                  second = sonic_network_part(net, "mid.block_2");
    x = sonic_vae_video_block(scope, NULL, &first, x, part_values);
    x = sonic_vae_attention(scope, &attention, x);
    return sonic_vae_video_block(scope, NULL, &second, x, part_values);
}

/* The blocks of a level. The upsampling of the level `below` (or NULL) is part of the first block, which works frame by
 * frame. */
static sonic_tensor *up_level(sonic_scope *scope, const sonic_network *below, const sonic_network *level,
                              sonic_tensor *x, int64_t part_values)
{
    const sonic_network *upsample = below && sonic_network_has(below, "upsample.conv.weight") ? below : NULL;
    for (int j = 0; sonic_network_has(level, "block.%d.conv1.weight", j); j++) {
        sonic_network block = sonic_network_part(level, "block.%d", j);
        x = sonic_vae_video_block(scope, j == 0 ? upsample : NULL, &block, x, part_values);
    }
    return x;
}

/* The last spatial convolution. */
static sonic_tensor *output_frame(sonic_scope *scope, const sonic_network *net, sonic_tensor *x)
{
    x = sonic_layer_group_norm_silu(scope, net, "norm_out", st_take(x), SONIC_VAE_EPSILON);
    return sonic_layer_conv2d(scope, net, "conv_out", st_take(x), 1, 1);
}

/* The last spatial convolution frame by frame, then the temporal one. x is released. */
static sonic_tensor *output(sonic_scope *scope, const sonic_network *net, sonic_tensor *x)
{
    sonic_tensor *frames[SONIC_VAE_CHUNK_FRAMES_MAX];
    int32_t made = 0;
    for (int64_t count = st_size(x, 0); made < count && !scope->status; made++)
        frames[made] = st_take(output_frame(scope, net, st_slice(scope, x, 0, made, 1)));
    st_release(x);
    x = st_cat(scope, frames, made, 0);
    x = sonic_vae_temporal_conv(scope, st_take(x), sonic_layer_weight(scope, net, "conv_out.time_mix_conv.weight"),
                                sonic_layer_weight(scope, net, "conv_out.time_mix_conv.bias"));
    return st_contiguous(scope, st_take(x));
}

static int level_count(const sonic_network *net)
{
    int count = 0;
    while (sonic_network_has(net, "up.%d.block.0.conv1.weight", count))
        count++;
    return count;
}

static void check_latents(sonic_scope *scope, const sonic_network *net, sonic_tensor *latents)
{
    int64_t channels = st_size(sonic_layer_weight(scope, net, "conv_in.weight"), 1);
    sonic_shape shape = st_shape(latents);
    if (!scope->status && (shape.dims != 4 || shape.size[1] != channels || st_count(latents) < 1))
        sonic_scope_fail(scope, sonic_fail(SONIC_ERROR_SHAPE,
                                           "Give latents of %lld channels, [frames, %lld, height / 8, width / 8]: they "
                                           "have %d dimensions and %lld channels.",
                                           (long long)channels, (long long)channels, (int)shape.dims,
                                           (long long)shape.size[1]));
}

sonic_tensor *sonic_vae_decode_chunk(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents,
                                     int64_t part_values)
{
    sonic_scope s;
    sonic_scope_open(&s, outer);
    sonic_network net = sonic_network_at(call, SONIC_VAE_DECODER_PREFIX);
    check_latents(&s, &net, latents);
    sonic_tensor *x = st_cast_like(&s, latents, sonic_layer_weight(&s, &net, "conv_in.weight"));
    x = sonic_layer_conv2d(&s, &net, "conv_in", st_take(x), 1, 1);
    x = middle(&s, &net, x, part_values);
    for (int count = level_count(&net), i = count - 1; i >= 0; i--) {
        sonic_network below = sonic_network_part(&net, "up.%d", i + 1), level = sonic_network_part(&net, "up.%d", i);
        x = up_level(&s, i + 1 < count ? &below : NULL, &level, x, part_values);
    }
    x = st_return(&s, output(&s, &net, x));
    sonic_layer_probe(&net, x);
    return sonic_scope_close(&s) == SONIC_OK ? x : NULL;
}

sonic_tensor *sonic_vae_decode(sonic_scope *outer, sonic_operator_call *call, sonic_tensor *latents, int64_t chunk,
                               int64_t part_values)
{
    enum { CHUNKS_MAX = 4096 };
    sonic_tensor *chunks[CHUNKS_MAX];
    sonic_scope s;
    sonic_scope_open(&s, outer);
    int64_t frames = st_size(latents, 0);
    int32_t count = 0;
    if (!s.status && (chunk < 1 || chunk > SONIC_VAE_CHUNK_FRAMES_MAX || part_values < 1 || frames < 1 ||
                      (frames + chunk - 1) / chunk > CHUNKS_MAX))
        sonic_scope_fail(&s, sonic_fail(SONIC_ERROR_ARGUMENT,
                                        "Decode 1 to %d chunks of 1 to %d frames: got %lld frames in chunks of %lld.",
                                        CHUNKS_MAX, SONIC_VAE_CHUNK_FRAMES_MAX, (long long)frames, (long long)chunk));
    for (int64_t at = 0; at < frames && !s.status; at += chunk) {
        int64_t left = frames - at;
        sonic_tensor *chunk_latents = st_slice(&s, latents, 0, at, left < chunk ? left : chunk);
        chunks[count++] = st_take(sonic_vae_decode_chunk(&s, call, chunk_latents, part_values));
        st_release(chunk_latents);
    }
    sonic_tensor *video = count == 1 ? chunks[0] : st_cat(&s, chunks, count, 0);
    video = st_return(&s, video);
    return sonic_scope_close(&s) == SONIC_OK ? video : NULL;
}
