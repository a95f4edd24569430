"""The spatio-temporal UNet with audio attention (csrc/models/unet/unet.h)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from .call import run_network

HEAD_DIM = 64
CONSTANTS = (
    "layout",
    "audio",
    "audio_scale",
    "image_spatial",
    "image_temporal",
    "positions",
    "masks",
    "rectangles",
    "mixes",
    "latents",
)
UNFOLDED, WHOLE_MASK, GIVE_DEEP = 1, 2, 4


@dataclass
class Conditions:
    """The conditions of a run. Lists have one entry for each branch of the guidance."""

    image: Sequence[torch.Tensor]  # [1 or frames of the clip, 1, context] each
    audio: Sequence[torch.Tensor]  # [1 or frames of the clip, audio tokens, context] each
    face_mask: torch.Tensor  # [..., image rows, image columns], 0..1
    rows: int  # of the latents
    columns: int
    window: int  # the most frames of a window
    # [4, rows, columns] each; without them each step's sample has 8 channels
    image_latents: Sequence[torch.Tensor] | None = None
    audio_scale: float = 1.0


def pack(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights with convolutions in channels-last order, as the activations are, so that no call converts them."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return {
        name: w.contiguous(memory_format=formats[w.dim()]) if w.dim() in formats else w for name, w in weights.items()
    }


class UNet:
    """The weights, by the names in unet.pth, and the constants of one run."""

    def __init__(self, weights: Mapping[str, torch.Tensor], head_dim: int = HEAD_DIM):
        self.weights, self.head_dim = pack(weights), head_dim
        self.constants: dict[str, torch.Tensor] = {}

    def prepare(self, conditions: Conditions, probes: Sequence[str] = (), **options) -> list[torch.Tensor]:
        """Computes the constants of a run. Returns the outputs of the layers named in `probes`.

        options: check_finite and meter, as in run_network.
        """
        c = conditions
        lists = {"image": c.image, "audio": c.audio, "image_latents": c.image_latents or ()}
        tensors = {f"{kind}.{b}": t for kind, branches in lists.items() for b, t in enumerate(branches)}
        tensors["face_mask"] = c.face_mask.float().cpu().contiguous()
        numbers = [self.head_dim, len(c.image), c.rows, c.columns, c.window, c.audio_scale]
        out = run_network("unet_prepare", tensors, self.weights, numbers, probes, **options)
        names = CONSTANTS if c.image_latents else CONSTANTS[:-1]
        self.constants = dict(zip(names, out, strict=False))
        return out[len(names) :]

    def on(self, device: torch.device, weights: Mapping[str, torch.Tensor]) -> "UNet":
        """A copy for another device, whose weights are there: constants that lie on a card are copied from there, those
        in host memory are shared."""
        other = copy.copy(self)
        other.weights = pack(weights)
        other.constants = {name: t if t.device.type == "cpu" else t.to(device) for name, t in self.constants.items()}
        return other

    def step(
        self,
        sample: torch.Tensor,
        timestep: float,
        ids: Sequence[float],
        frames: Sequence[int],
        *,
        first_branch: int = 0,
        branches: int | None = None,
        disabled: int = 0,
        deep: torch.Tensor | None = None,
        probes: Sequence[str] = (),
        **options,
    ) -> list[torch.Tensor]:
        """One window at one noise level: [branches, frames, 4, rows, columns], then the outputs of the layers named in
        `probes`.

        sample: [branches, frames, 8, rows, columns], or after prepare() with image latents [frames, 4, rows, columns],
        scaled. ids: frame rate and two motion buckets. frames: which frames of the clip the window holds.
        disabled: optimisations to leave out, UNFOLDED | WHOLE_MASK; GIVE_DEEP adds an output, the features before the
        last layer. deep: such features, [branches, frames, tokens, channels]: then only that layer runs. options:
        check_finite and meter, as in run_network.
        """
        branches = len(self.constants["layout"]) - first_branch if branches is None else branches
        tensors = {"sample": sample, **{f"constants.{name}": t for name, t in self.constants.items()}}
        tensors |= {} if deep is None else {"deep": deep}
        numbers = [self.head_dim, timestep, *ids, first_branch, branches, disabled, *frames]
        return run_network("unet_step", tensors, self.weights, numbers, probes, **options)
