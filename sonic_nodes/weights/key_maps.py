"""Under which names the files that people have keep each network, and what else those files may hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import shapes
from .shapes import CONDITIONER_PREFIX, VAE_PREFIX, Table, joined, under


@dataclass(frozen=True)
class Layout:
    """One way of naming. `added` is put before a name of the file, `removed` taken away, to get the name that
    csrc/models asks for."""

    table: Table  # by the names in the file
    removed: str = ""
    added: str = ""
    optional: tuple[Table, ...] = ()  # all of it or nothing of it

    def native(self, name: str) -> str:
        return self.added + name.removeprefix(self.removed)


@dataclass(frozen=True)
class Network:
    """`layouts(**sizes)`: those of the published sizes without arguments."""

    key: str
    title: str
    layouts: Callable[..., list[Layout]]
    # names that may stand beside the network's own: other networks of the same file
    beside: re.Pattern[str] = re.compile("(?!)")


def prefixed(table: Table, native: str, *others: str) -> list[Layout]:
    """The same names behind `native`, the prefix that csrc/models wants, or behind one of `others`."""
    return [Layout(under(prefix, table), prefix, native) for prefix in (native, *others)]


def vae_layouts(**sizes) -> list[Layout]:
    decoder = under(VAE_PREFIX, shapes.vae_decoder(**sizes))
    encoder, quantise = shapes.vae_encoder(**sizes), shapes.quantise(sizes.get("latents", 4))
    own = joined(under(VAE_PREFIX, encoder), decoder)
    conditioner = joined(under(CONDITIONER_PREFIX, encoder, quantise), decoder)
    return [Layout(own, optional=(under(VAE_PREFIX, quantise),)), Layout(conditioner)]


def clip_layouts(**sizes) -> list[Layout]:
    return [Layout(shapes.clip_open(**sizes)), Layout(shapes.clip_transformers(**sizes))]


# What else stands in a checkpoint, and beside CLIP's picture side in transformers' files.
CHECKPOINT = re.compile(
    r"(model|first_stage_model|conditioner|text_model)\.|denoiser|vision_model\.embeddings\.position_ids|logit_scale"
)

NETWORKS = {
    network.key: network
    for network in (
        Network("unet", "Sonic's UNet", lambda **s: prefixed(shapes.unet(**s), "")),
        Network(
            "audio2token", "Sonic's audio2token", lambda **s: prefixed(shapes.audio2token(**s), "audio2token.", "")
        ),
        Network(
            "audio2bucket", "Sonic's audio2bucket", lambda **s: prefixed(shapes.audio2bucket(**s), "audio2bucket.", "")
        ),
        Network(
            "whisper",
            "the encoder of Whisper tiny",
            lambda **s: prefixed(shapes.whisper(**s), "model.", ""),
            re.compile(r"(model\.)?decoder\.|proj_out\."),
        ),
        Network("vae", "the autoencoder of Stable Video Diffusion", vae_layouts, CHECKPOINT),
        Network("clip_vision", "the picture side of CLIP ViT-H/14", clip_layouts, CHECKPOINT),
        Network(
            "rife",
            "RIFE's IFNet",
            lambda **s: prefixed(shapes.rife(**s), "module.", ""),
            re.compile(r"(module\.)?block_tea\."),
        ),
    )
}
