"""What each stage of a run holds and how long it takes, by what the run computes and how it uses memory."""

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

from ..models.constants import CHUNK
from . import estimate, streaming
from .benchmark import Speed
from .cards import Card, CardEstimate
from .estimate import NETWORKS_OF, Model, Shortcuts
from .stage import Stage

# on a GPU: workspace of cuBLAS and cuDNN, gaps between the allocator's blocks
MARGIN_BYTES, MARGIN_SHARE = 256 << 20, 0.1
HOST_MARGIN_BYTES, HOST_MARGIN_SHARE = 64 << 20, 0.1  # on the CPU: oneDNN's packed weights and scratch


class Variant(NamedTuple):
    """How a run may use memory."""

    branches: int  # at once
    offload: bool
    stream: bool


# the fastest first
VARIANTS = (
    Variant(3, False, False),
    Variant(3, True, False),
    Variant(1, False, False),
    Variant(1, True, False),
    Variant(3, True, True),
    Variant(1, True, True),
)


@dataclass(frozen=True)
class ClipWork:
    """What a run computes; as in make()."""

    rows: int
    columns: int
    latent_frames: int
    steps: int
    shortcuts: Shortcuts


@dataclass(frozen=True)
class StageEstimate:
    """Bytes on the compute device at the stage's peak, and its cost."""

    stage: Stage
    weights: int  # of the networks that are loaded
    held: int  # by results of other stages: the UNet's constants, latents
    results: int  # of the stage's operators
    margin: int
    flops: int
    seconds: float | None

    @property
    def peak(self) -> int:
        return self.weights + self.held + self.results + self.margin

    def as_dict(self) -> dict:
        """For JSON."""
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "stage"}
        return {"name": self.stage.value, **numbers, "peak": self.peak}


def sampling_cost(m: Model, clip: ClipWork, latent_frames: int, branches: int) -> estimate.Cost:
    return estimate.sampling(m, clip.rows, clip.columns, latent_frames, clip.steps, branches, clip.shortcuts)


def card_estimate(m: Model, clip: ClipWork, variant: Variant, card: Card) -> CardEstimate:
    """What of the clip grows with its length is on the first card alone."""
    cost = sampling_cost(m, clip, estimate.SHORT_CLIP, variant.branches)
    return CardEstimate(
        card.name,
        weight_bytes(m, Stage.SAMPLING, True, variant.stream),
        estimate.constants_bytes(m, clip.rows, clip.columns),
        cost.peak_bytes,
        MARGIN_BYTES + round(MARGIN_SHARE * cost.peak_bytes),
        card.bytes,
    )


def stage_costs(m: Model, clip: ClipWork, branches: int) -> dict[Stage, tuple[estimate.Cost, int]]:
    """{stage: (its cost, bytes held on the device meanwhile)}."""
    rows, columns, count = clip.rows, clip.columns, clip.latent_frames
    latents = 4 * count * estimate.latent_channels(m) * rows * columns
    return {
        Stage.PICTURE: (estimate.picture(m), 0),
        Stage.ENCODING: (estimate.encoding(m, rows, columns), 0),
        Stage.SOUND: (estimate.sound(m, count), 0),
        Stage.CONSTANTS: (estimate.constants(m, rows, columns), 0),
        Stage.SAMPLING: (sampling_cost(m, clip, count, branches), estimate.constants_bytes(m, rows, columns)),
        Stage.DECODING: (estimate.decoding(m, rows, columns).times(math.ceil(count / CHUNK)), latents),
        Stage.IN_BETWEEN: (estimate.in_between(m, rows, columns).times(count - 1), latents),
    }


def sampling_seconds(m: Model, clip: ClipWork, variant: Variant, computing: float, cards: int) -> float:
    """Of the loop, whose operators take `computing` seconds on one card."""
    facts = clip.latent_frames, clip.steps, variant.branches, clip.shortcuts
    calls = estimate.whole_calls(*facts)
    if variant.stream:
        computing = calls * streaming.call_seconds(m, computing / calls)
    return estimate.longest_share(*facts, cards) * computing


def stage_estimates(m: Model, clip: ClipWork, variant: Variant, speed, cards: int) -> tuple[StageEstimate, ...]:
    share, least = (MARGIN_SHARE, MARGIN_BYTES) if m.gpu else (HOST_MARGIN_SHARE, HOST_MARGIN_BYTES)
    host = 0 if m.gpu else estimate.host_bytes(m, clip.rows, clip.columns, clip.latent_frames)

    def seconds(stage: Stage, cost: estimate.Cost) -> float | None:
        computing = Speed.of(speed).seconds(cost) if speed else None
        is_shared = computing is not None and stage == Stage.SAMPLING
        return sampling_seconds(m, clip, variant, computing, cards) if is_shared else computing

    return tuple(
        StageEstimate(
            stage,
            weight_bytes(m, stage, variant.offload, variant.stream),
            held + host,
            cost.peak_bytes,
            least + round(share * cost.peak_bytes),
            cost.flops,
            seconds(stage, cost),
        )
        for stage, (cost, held) in stage_costs(m, clip, variant.branches).items()
    )


def weight_bytes(m: Model, stage: Stage, offload: bool, stream: bool) -> int:
    """Of the networks that are loaded in a stage."""
    if stream and "unet" in NETWORKS_OF[stage]:
        return estimate.resident_bytes(m)
    return m.bytes(NETWORKS_OF[stage]) if offload else m.all_bytes()
