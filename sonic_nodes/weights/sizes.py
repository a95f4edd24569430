"""A network's sizes from the shapes in its file, and the numbers of heads, which shapes do not tell."""

import re

from .entries import Entry
from .shapes import VAE_PREFIX

HEAD_CHANNELS = {"unet": 64, "whisper": 64, "clip_vision": 80}  # of the published networks

# Depths of the published networks, which no file exceeds: names alone, without data, could claim any number
MAX_LEVELS, MAX_BLOCKS = 4, 2  # of the UNet and of the autoencoder
MAX_LAYERS = {"whisper": 4, "clip_vision": 32}


class ShapeReader:
    """Shapes by name, behind the first of `prefixes` under which `anchor` exists."""

    def __init__(self, entries: dict[str, Entry], anchor: str, prefixes: tuple[str, ...]):
        self.prefix = next((p for p in prefixes if p + anchor in entries), None)
        self.entries = entries

    def __call__(self, name: str) -> tuple[int, ...]:
        """The shape, or KeyError."""
        return self.entries[f"{self.prefix}{name}"].shape

    def count(self, pattern: str, most: int) -> int:
        """How many consecutive indices, from 0 on, exist at `{}` of the pattern. ValueError if more than `most`."""
        for i in range(most + 1):
            if f"{self.prefix}{pattern.format(i)}" not in self.entries:
                return i
        raise ValueError(f"more than {most} of {pattern}")


def unet(entries) -> dict:
    shape = ShapeReader(entries, "conv_in.weight", ("",))
    block = "down_blocks.{}.resnets.0.spatial_res_block.conv1.weight"
    return {
        "channels": tuple(shape(block.format(i))[0] for i in range(shape.count(block, MAX_LEVELS))),
        "context": shape("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight")[1],
        "ids": shape("add_embedding.linear_1.weight")[1] // 3,
        "blocks": shape.count("down_blocks.0.resnets.{}.time_mixer.mix_factor", MAX_BLOCKS),
        "latents": shape("conv_out.weight")[0],
    }


def audio2token(entries) -> dict:
    shape = ShapeReader(entries, "proj1.weight", ("audio2token.", ""))
    (dim,) = shape("norm.weight")
    return {
        "states": shape("proj1.weight")[1],
        "hidden": shape("proj1.weight")[0],
        "tokens": shape("proj3.weight")[0] // dim,
        "dim": dim,
    }


def audio2bucket(entries, image: int = 1024) -> dict:
    shape = ShapeReader(entries, "proj1.weight", ("audio2bucket.", ""))
    hidden, both = shape("proj1.weight")
    return {"states": both - image, "image": image, "hidden": hidden}


def whisper(entries) -> dict:
    shape = ShapeReader(entries, "encoder.conv1.weight", ("model.", ""))
    d, mels, _ = shape("encoder.conv1.weight")
    return {
        "d": d,
        "layers": shape.count("encoder.layers.{}.fc1.weight", MAX_LAYERS["whisper"]),
        "inner": shape("encoder.layers.0.fc1.weight")[0],
        "positions": shape("encoder.embed_positions.weight")[0],
        "mels": mels,
    }


def vae(entries) -> dict:
    shape = ShapeReader(entries, "decoder.conv_in.weight", (VAE_PREFIX,))
    block = "decoder.up.{}.block.0.conv1.weight"
    return {
        "channels": tuple(shape(block.format(i))[0] for i in range(shape.count(block, MAX_LEVELS))),
        "latents": shape("decoder.conv_in.weight")[1],
        "blocks": shape.count("decoder.up.0.block.{}.conv1.weight", MAX_BLOCKS + 1) - 1,
    }


def clip_vision(entries) -> dict:
    open_clip = next((name for name in entries if name.endswith("visual.conv1.weight")), None)
    if open_clip:
        shape = ShapeReader(entries, "conv1.weight", (open_clip.removesuffix("conv1.weight"),))
        patch, inner, tokens, out = (
            "conv1.weight",
            "transformer.resblocks.{}.mlp.c_fc.weight",
            "positional_embedding",
            shape("proj")[1],
        )
    else:
        shape = ShapeReader(entries, "visual_projection.weight", ("",))
        patch, inner = "vision_model.embeddings.patch_embedding.weight", "vision_model.encoder.layers.{}.mlp.fc1.weight"
        tokens, out = "vision_model.embeddings.position_embedding.weight", shape("visual_projection.weight")[0]
    return {
        "d": shape(patch)[0],
        "layers": shape.count(inner, MAX_LAYERS["clip_vision"]),
        "inner": shape(inner.format(0))[0],
        "patch": shape(patch)[2],
        "tokens": shape(tokens)[0],
        "out": out,
    }


def rife(entries) -> dict:
    name = next(name for name in entries if re.fullmatch(r"(module\.)?block0\.conv0\.1\.0\.weight", name))
    return {"c": entries[name].shape[0]}


READERS = {read.__name__: read for read in (unet, audio2token, audio2bucket, whisper, vae, clip_vision, rife)}


def sizes_of(key: str, entries: dict[str, Entry], **known) -> dict:
    """The sizes of the network `key`, as shapes.py takes them; {}, which means the published ones, where the file lacks
    the tensors that tell them or has more layers than the published network."""
    try:
        found = READERS[key](entries, **known)
    except (KeyError, IndexError, ValueError, StopIteration, ZeroDivisionError):
        return {}
    numbers = [n for value in found.values() for n in (value if isinstance(value, tuple) else (value,))]
    return found if min(numbers) > 0 and () not in found.values() else {}


def heads(key: str, channels: int) -> int:
    """Heads of a transformer of `channels`, with the published channels per head, and two at least."""
    return max(2, channels // HEAD_CHANNELS[key])


def head_dim(channels: int) -> int:
    """Channels per head of the UNet whose first level has `channels`: 64, or all of them if fewer."""
    return min(HEAD_CHANNELS["unet"], channels)


def uses_conditioner_encoder(weights: dict) -> bool:
    """Whether the weights have only SVD's second encoder, with a separate quantising convolution."""
    return f"{VAE_PREFIX}encoder.conv_in.weight" not in weights
