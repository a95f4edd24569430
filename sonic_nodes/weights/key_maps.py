"""How the names of weights in users' files map to those in csrc/models, and which other names a file may hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import shapes
from .shapes import CONDITIONER_PREFIX, VAE_PREFIX, Shapes, merged, with_prefix


@dataclass(frozen=True)
class KeyMap:
    """One naming scheme: replacing the prefix `file_prefix` by `network_prefix` gives the name in csrc/models."""

    shapes: Shapes  # by the names in the file
    file_prefix: str = ""
    network_prefix: str = ""
    optional: tuple[Shapes, ...] = ()  # groups that are complete or absent

    def network_name(self, name: str) -> str:
        return self.network_prefix + name.removeprefix(self.file_prefix)


@dataclass(frozen=True)
class Network:
    """`key_maps(**sizes)`: without arguments those of the published sizes."""

    key: str
    title: str
    key_maps: Callable[..., list[KeyMap]]
    # names of other networks that may be in the same file
    others: re.Pattern[str] = re.compile("(?!)")


def prefixed_key_maps(table: Shapes, network_prefix: str, *other_prefixes: str) -> list[KeyMap]:
    """The same names behind `network_prefix`, the prefix in csrc/models, or behind one of the others."""
    return [KeyMap(with_prefix(prefix, table), prefix, network_prefix) for prefix in (network_prefix, *other_prefixes)]


def vae_key_maps(**sizes) -> list[KeyMap]:
    decoder = with_prefix(VAE_PREFIX, shapes.vae_decoder(**sizes))
    encoder, quantise = shapes.vae_encoder(**sizes), shapes.quantise(sizes.get("latents", 4))
    own = merged(with_prefix(VAE_PREFIX, encoder), decoder)
    conditioner = merged(with_prefix(CONDITIONER_PREFIX, encoder, quantise), decoder)
    return [KeyMap(own, optional=(with_prefix(VAE_PREFIX, quantise),)), KeyMap(conditioner)]


def clip_key_maps(**sizes) -> list[KeyMap]:
    return [KeyMap(shapes.clip_open(**sizes)), KeyMap(shapes.clip_transformers(**sizes))]


# Other names in an SVD checkpoint, and in transformers' files of CLIP.
CHECKPOINT = re.compile(
    r"(model|first_stage_model|conditioner|text_model)\.|denoiser|vision_model\.embeddings\.position_ids|logit_scale"
)

NETWORKS = {
    network.key: network
    for network in (
        Network("unet", "Sonic's UNet", lambda **s: prefixed_key_maps(shapes.unet(**s), "")),
        Network(
            "audio2token",
            "Sonic's audio2token",
            lambda **s: prefixed_key_maps(shapes.audio2token(**s), "audio2token.", ""),
        ),
        Network(
            "audio2bucket",
            "Sonic's audio2bucket",
            lambda **s: prefixed_key_maps(shapes.audio2bucket(**s), "audio2bucket.", ""),
        ),
        Network(
            "whisper",
            "the encoder of Whisper tiny",
            lambda **s: prefixed_key_maps(shapes.whisper(**s), "model.", ""),
            re.compile(r"(model\.)?decoder\.|proj_out\."),
        ),
        Network("vae", "the autoencoder of Stable Video Diffusion", vae_key_maps, CHECKPOINT),
        Network("clip_vision", "the image encoder of CLIP ViT-H/14", clip_key_maps, CHECKPOINT),
        Network(
            "rife",
            "RIFE's IFNet",
            lambda **s: prefixed_key_maps(shapes.rife(**s), "module.", ""),
            re.compile(r"(module\.)?block_tea\."),
        ),
    )
}
