"""The names and shapes of unet.pth, to build a full-size UNet without the file: random, or on the meta device."""

import math

import torch

CHANNELS, ATTENDS, LAYERS, CONTEXT, EMBEDDING, IDS = (
    (320, 640, 1280, 1280),
    (True, True, True, False),
    2,
    1024,
    1280,
    768,
)


class _Layers:
    """Collects {name: shape} of the UNet's layers."""

    def __init__(self, context: int, embedding: int):
        self.out: dict[str, tuple[int, ...]] = {}
        self.context, self.embedding = context, embedding

    def affine(self, name, *weight):
        self.out[f"{name}.weight"], self.out[f"{name}.bias"] = weight, weight[:1]

    def res_part(self, name, inside, outside, kernel):
        self.affine(f"{name}.norm1", inside)
        self.affine(f"{name}.norm2", outside)
        self.affine(f"{name}.conv1", outside, inside, *kernel)
        self.affine(f"{name}.conv2", outside, outside, *kernel)
        self.affine(f"{name}.time_emb_proj", outside, self.embedding)

    def resnet(self, name, inside, outside):
        self.res_part(f"{name}.spatial_res_block", inside, outside, (3, 3))
        if inside != outside:
            self.affine(f"{name}.spatial_res_block.conv_shortcut", outside, inside, 1, 1)
        self.res_part(f"{name}.temporal_res_block", outside, outside, (3, 1, 1))
        self.out[f"{name}.time_mixer.mix_factor"] = (1,)

    def feed_forward(self, name, c):
        self.affine(f"{name}.net.0.proj", 8 * c, c)
        self.affine(f"{name}.net.2", c, 4 * c)

    def block(self, name, c, temporal):
        for norm in ("norm1", "norm2", "norm3", *(("norm_in",) if temporal else ())):
            self.affine(f"{name}.{norm}", c)
        for attention, width in (("attn1", c), ("attn2", self.context)):
            self.out[f"{name}.{attention}.to_q.weight"] = (c, c)
            self.out[f"{name}.{attention}.to_k.weight"] = self.out[f"{name}.{attention}.to_v.weight"] = (c, width)
            self.affine(f"{name}.{attention}.to_out.0", c, c)
        for part in ("to_k_ip", "to_v_ip"):
            self.out[f"{name}.attn2.processor.{part}.0.weight"] = (c, self.context)
        for ff in ("ff", *(("ff_in",) if temporal else ())):
            self.feed_forward(f"{name}.{ff}", c)

    def attention(self, name, c):
        self.affine(f"{name}.norm", c)
        self.affine(f"{name}.proj_in", c, c)
        self.affine(f"{name}.proj_out", c, c)
        self.affine(f"{name}.time_pos_embed.linear_1", 4 * c, c)
        self.affine(f"{name}.time_pos_embed.linear_2", c, 4 * c)
        self.out[f"{name}.time_mixer.mix_factor"] = (1,)
        self.block(f"{name}.transformer_blocks.0", c, False)
        self.block(f"{name}.temporal_transformer_blocks.0", c, True)


def shapes(
    channels=CHANNELS, attends=ATTENDS, layers=LAYERS, context=CONTEXT, embedding=EMBEDDING, ids=IDS
) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the UNet with its audio adapters."""
    unet = _Layers(context, embedding)
    unet.affine("conv_in", channels[0], 8, 3, 3)
    for name, width in (("time_embedding", channels[0]), ("add_embedding", ids)):
        unet.affine(f"{name}.linear_1", embedding, width)
        unet.affine(f"{name}.linear_2", embedding, embedding)
    skips, c = [channels[0]], channels[0]
    for i, width in enumerate(channels):
        for j in range(layers):
            unet.resnet(f"down_blocks.{i}.resnets.{j}", c, width)
            if attends[i]:
                unet.attention(f"down_blocks.{i}.attentions.{j}", width)
            c = width
            skips.append(c)
        if i + 1 < len(channels):
            unet.affine(f"down_blocks.{i}.downsamplers.0.conv", c, c, 3, 3)
            skips.append(c)
    unet.resnet("mid_block.resnets.0", c, c)
    unet.attention("mid_block.attentions.0", c)
    unet.resnet("mid_block.resnets.1", c, c)
    for i, width in enumerate(reversed(channels)):
        for j in range(layers + 1):
            unet.resnet(f"up_blocks.{i}.resnets.{j}", c + skips.pop(), width)
            if attends[len(channels) - 1 - i]:
                unet.attention(f"up_blocks.{i}.attentions.{j}", width)
            c = width
        if i + 1 < len(channels):
            unet.affine(f"up_blocks.{i}.upsamplers.0.conv", c, c, 3, 3)
    unet.affine("conv_norm_out", c)
    unet.affine("conv_out", 4, c, 3, 3)
    return unet.out


def random(seed=0, dtype=torch.float32, **sizes) -> dict[str, torch.Tensor]:
    """Weights that keep activations near 1, as trained ones do: products of variance 1, norms near identity."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes(**sizes).items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            noise *= math.prod(shape[1:]) ** -0.5
        elif ".norm" in name or name.startswith("conv_norm"):
            noise = noise * 0.1 + name.endswith("weight")
        elif name.endswith("bias"):
            noise *= 0.05
        weights[name] = noise.to(dtype)
    return weights


def meta(dtype=torch.float16, **sizes) -> dict[str, torch.Tensor]:
    """Weights on the meta device, except the blend factors, which are read on the host."""

    def device(name):
        return "cpu" if name.endswith("mix_factor") else "meta"

    return {name: torch.zeros(shape, dtype=dtype, device=device(name)) for name, shape in shapes(**sizes).items()}
