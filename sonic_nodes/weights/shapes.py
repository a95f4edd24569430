"""Names and shapes of every network's weights. The defaults are the published sizes; tests use smaller ones."""

Shapes = dict[str, tuple[int, ...]]

CLIP_PREFIX = "conditioner.embedders.0.open_clip.model.visual."
VAE_PREFIX = "first_stage_model."
CONDITIONER_PREFIX = "conditioner.embedders.3.encoder."


def layer(name: str, *shape: int) -> Shapes:
    """A layer with weight and bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def with_prefix(prefix: str, *groups: Shapes) -> Shapes:
    return {prefix + name: shape for group in groups for name, shape in group.items()}


def merged(*groups: Shapes) -> Shapes:
    return with_prefix("", *groups)


# The UNet of Stable Video Diffusion with Sonic's audio adapters, in diffusers' names


def unet(
    channels=(320, 640, 1280, 1280), context: int = 1024, ids: int = 256, blocks: int = 2, latents: int = 4
) -> Shapes:
    first, emb = channels[0], 4 * channels[0]
    return merged(
        layer("conv_in", first, 2 * latents, 3, 3),
        layer("conv_norm_out", first),
        layer("conv_out", latents, first, 3, 3),
        layer("time_embedding.linear_1", emb, first),
        layer("time_embedding.linear_2", emb, emb),
        layer("add_embedding.linear_1", emb, 3 * ids),
        layer("add_embedding.linear_2", emb, emb),
        *(unet_down(i, channels, emb, context, blocks) for i in range(len(channels))),
        unet_mid(channels[-1], emb, context),
        *(unet_up(i, channels, emb, context, blocks) for i in range(len(channels))),
    )


def unet_down(i: int, channels, emb: int, context: int, blocks: int) -> Shapes:
    before, c, last = channels[max(i - 1, 0)], channels[i], i == len(channels) - 1
    parts = []
    for j in range(blocks):
        parts.append(with_prefix(f"resnets.{j}.", unet_resnet(before if j == 0 else c, c, emb)))
        parts += [] if last else [with_prefix(f"attentions.{j}.", unet_transformer(c, context))]
    parts += [] if last else [layer("downsamplers.0.conv", c, c, 3, 3)]
    return with_prefix(f"down_blocks.{i}.", *parts)


def unet_mid(c: int, emb: int, context: int) -> Shapes:
    resnets = (with_prefix(f"resnets.{j}.", unet_resnet(c, c, emb)) for j in range(2))
    return with_prefix("mid_block.", *resnets, with_prefix("attentions.0.", unet_transformer(c, context)))


def unet_up(i: int, channels, emb: int, context: int, blocks: int) -> Shapes:
    """Each res block also takes a skip connection: of its own level, the last one of the level above."""
    ascending = channels[::-1]
    before, c, above = ascending[max(i - 1, 0)], ascending[i], ascending[min(i + 1, len(channels) - 1)]
    parts = []
    for j in range(blocks + 1):
        width = (before if j == 0 else c) + (above if j == blocks else c)
        parts.append(with_prefix(f"resnets.{j}.", unet_resnet(width, c, emb)))
        parts += [with_prefix(f"attentions.{j}.", unet_transformer(c, context))] if i > 0 else []
    parts += [layer("upsamplers.0.conv", c, c, 3, 3)] if i < len(channels) - 1 else []
    return with_prefix(f"up_blocks.{i}.", *parts)


def unet_resnet(before: int, c: int, emb: int) -> Shapes:
    spatial = merged(
        layer("norm1", before),
        layer("conv1", c, before, 3, 3),
        layer("time_emb_proj", c, emb),
        layer("norm2", c),
        layer("conv2", c, c, 3, 3),
        layer("conv_shortcut", c, before, 1, 1) if before != c else {},
    )
    temporal = merged(
        layer("norm1", c),
        layer("conv1", c, c, 3, 1, 1),
        layer("time_emb_proj", c, emb),
        layer("norm2", c),
        layer("conv2", c, c, 3, 1, 1),
    )
    return merged(
        with_prefix("spatial_res_block.", spatial),
        with_prefix("temporal_res_block.", temporal),
        {"time_mixer.mix_factor": (1,)},
    )


def unet_transformer(c: int, context: int) -> Shapes:
    block = unet_transformer_block(c, context)
    extra = merged(layer("norm_in", c), feed_forward("ff_in", c))
    return merged(
        layer("norm", c),
        layer("proj_in", c, c),
        layer("proj_out", c, c),
        {"time_mixer.mix_factor": (1,)},
        layer("time_pos_embed.linear_1", 4 * c, c),
        layer("time_pos_embed.linear_2", c, 4 * c),
        with_prefix("transformer_blocks.0.", block),
        with_prefix("temporal_transformer_blocks.0.", block, extra),
    )


def unet_transformer_block(c: int, context: int) -> Shapes:
    attention = {
        "attn1.to_q.weight": (c, c),
        "attn1.to_k.weight": (c, c),
        "attn1.to_v.weight": (c, c),
        "attn2.to_q.weight": (c, c),
    }
    attention |= {
        f"attn2.{name}.weight": (c, context) for name in ("to_k", "to_v", "processor.to_k_ip.0", "processor.to_v_ip.0")
    }
    norms = (layer(f"norm{i}", c) for i in (1, 2, 3))
    return merged(
        attention, layer("attn1.to_out.0", c, c), layer("attn2.to_out.0", c, c), *norms, feed_forward("ff", c)
    )


def feed_forward(name: str, c: int) -> Shapes:
    return merged(layer(f"{name}.net.0.proj", 8 * c, c), layer(f"{name}.net.2", c, 4 * c))


# Sonic's audio adapters


def audio2token(states: int = 19200, hidden: int = 1024, tokens: int = 32, dim: int = 1024) -> Shapes:
    return merged(
        layer("proj1", hidden, states),
        layer("proj2", hidden, hidden),
        layer("proj3", tokens * dim, hidden),
        layer("norm", dim),
    )


def audio2bucket(states: int = 19200, image: int = 1024, hidden: int = 1024) -> Shapes:
    return merged(layer("proj1", hidden, states + image), layer("proj2", hidden, hidden), layer("proj3", 2, hidden))


# Whisper's encoder, in the names of Hugging Face's file without "model."


def whisper(d: int = 384, layers: int = 4, inner: int = 1536, positions: int = 1500, mels: int = 80) -> Shapes:
    return with_prefix(
        "encoder.",
        layer("conv1", d, mels, 3),
        layer("conv2", d, d, 3),
        {"embed_positions.weight": (positions, d)},
        layer("layer_norm", d),
        *(with_prefix(f"layers.{i}.", whisper_layer(d, inner)) for i in range(layers)),
    )


def whisper_layer(d: int, inner: int) -> Shapes:
    projections = (layer(f"self_attn.{name}_proj", d, d) for name in ("q", "v", "out"))
    return merged(
        *projections,
        {"self_attn.k_proj.weight": (d, d)},
        layer("self_attn_layer_norm", d),
        layer("fc1", inner, d),
        layer("fc2", d, inner),
        layer("final_layer_norm", d),
    )


# RIFE's IFNet, without "module."


def rife(c: int = 90) -> Shapes:
    return merged(*(with_prefix(f"block{i}.", rife_block(c)) for i in range(3)))


def rife_block(c: int) -> Shapes:
    def conv(name, cin, cout):
        return merged(layer(f"{name}.0", cout, cin, 3, 3), {f"{name}.1.weight": (cout,)})

    def head(name, out):
        first = {f"{name}.0.weight": (c, c // 2, 4, 4), f"{name}.0.bias": (c // 2,), f"{name}.1.weight": (c // 2,)}
        return first | {f"{name}.2.weight": (c // 2, out, 4, 4), f"{name}.2.bias": (out,)}

    blocks = (conv(f"convblock{i}.{j}", c, c) for i in range(4) for j in range(2))
    return merged(conv("conv0.0", 11, c // 2), conv("conv0.1", c // 2, c), *blocks, head("conv1", 4), head("conv2", 1))


# The autoencoder of Stable Video Diffusion, in the names of Stability's checkpoint


def vae_block(before: int, c: int) -> Shapes:
    return merged(
        layer("norm1", before),
        layer("conv1", c, before, 3, 3),
        layer("norm2", c),
        layer("conv2", c, c, 3, 3),
        layer("nin_shortcut", c, before, 1, 1) if before != c else {},
    )


def vae_attention(c: int) -> Shapes:
    return merged(layer("norm", c), *(layer(name, c, c, 1, 1) for name in ("q", "k", "v", "proj_out")))


def vae_encoder(channels=(128, 256, 512, 512), latents: int = 4, blocks: int = 2) -> Shapes:
    parts, before = [layer("conv_in", channels[0], 3, 3, 3)], channels[0]
    for i, c in enumerate(channels):
        for j in range(blocks):
            parts.append(with_prefix(f"down.{i}.block.{j}.", vae_block(before, c)))
            before = c
        parts += [layer(f"down.{i}.downsample.conv", c, c, 3, 3)] if i < len(channels) - 1 else []
    middle = with_prefix(
        "mid.",
        with_prefix("block_1.", vae_block(c, c)),
        with_prefix("attn_1.", vae_attention(c)),
        with_prefix("block_2.", vae_block(c, c)),
    )
    return with_prefix("encoder.", *parts, middle, layer("norm_out", c), layer("conv_out", 2 * latents, c, 3, 3))


def video_block(before: int, c: int) -> Shapes:
    convs = (layer(name, c, c, 3, 1, 1) for name in ("in_layers.2", "out_layers.3"))
    stack = with_prefix("time_stack.", layer("in_layers.0", c), layer("out_layers.0", c), *convs)
    return merged(vae_block(before, c), stack, {"mix_factor": (1,)})


def vae_decoder(channels=(128, 256, 512, 512), latents: int = 4, blocks: int = 2) -> Shapes:
    c = channels[-1]
    middle = with_prefix(
        "mid.",
        with_prefix("block_1.", video_block(c, c)),
        with_prefix("attn_1.", vae_attention(c)),
        with_prefix("block_2.", video_block(c, c)),
    )
    parts, before = [layer("conv_in", c, latents, 3, 3), middle], c
    for i in reversed(range(len(channels))):
        for j in range(blocks + 1):
            parts.append(with_prefix(f"up.{i}.block.{j}.", video_block(before, channels[i])))
            before = channels[i]
        parts += [layer(f"up.{i}.upsample.conv", before, before, 3, 3)] if i > 0 else []
    output = merged(
        layer("norm_out", before), layer("conv_out", 3, before, 3, 3), layer("conv_out.time_mix_conv", 3, 3, 3, 1, 1)
    )
    return with_prefix("decoder.", *parts, output)


def quantise(latents: int = 4) -> Shapes:
    return layer("quant_conv", 2 * latents, 2 * latents, 1, 1)


# The image encoder of CLIP ViT-H/14, in open_clip's and in transformers' names


def clip_open(
    d: int = 1280, layers: int = 32, inner: int = 5120, patch: int = 14, tokens: int = 257, out: int = 1024
) -> Shapes:
    def block():
        attention = {"attn.in_proj_weight": (3 * d, d), "attn.in_proj_bias": (3 * d,)}
        mlp = merged(layer("mlp.c_fc", inner, d), layer("mlp.c_proj", d, inner))
        return merged(attention, layer("attn.out_proj", d, d), layer("ln_1", d), layer("ln_2", d), mlp)

    single = {
        "class_embedding": (d,),
        "conv1.weight": (d, 3, patch, patch),
        "positional_embedding": (tokens, d),
        "proj": (d, out),
    }
    blocks = (with_prefix(f"transformer.resblocks.{i}.", block()) for i in range(layers))
    return with_prefix(CLIP_PREFIX, single, layer("ln_pre", d), layer("ln_post", d), *blocks)


def clip_transformers(
    d: int = 1280, layers: int = 32, inner: int = 5120, patch: int = 14, tokens: int = 257, out: int = 1024
) -> Shapes:
    def block():
        projections = (layer(f"self_attn.{name}_proj", d, d) for name in ("q", "k", "v", "out"))
        mlp = merged(layer("mlp.fc1", inner, d), layer("mlp.fc2", d, inner))
        return merged(*projections, layer("layer_norm1", d), layer("layer_norm2", d), mlp)

    embeddings = {
        "class_embedding": (d,),
        "patch_embedding.weight": (d, 3, patch, patch),
        "position_embedding.weight": (tokens, d),
    }
    vision = with_prefix(
        "vision_model.",
        with_prefix("embeddings.", embeddings),
        layer("pre_layrnorm", d),
        layer("post_layernorm", d),
        *(with_prefix(f"encoder.layers.{i}.", block()) for i in range(layers)),
    )
    return merged(vision, {"visual_projection.weight": (out, d)})
