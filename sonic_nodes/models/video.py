"""From latents to pictures: the temporal decoder in fixed chunks, the frames between by RIFE, all streamed to system
memory."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from .call import run
from .errors import explained, finite
from .picture import beside

CHUNK_FRAMES = 8  # vae_decoder.h: another number gives other pixels


def decode_chunk(latents: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """latents [n, 4, h, w], already divided by 0.18215 -> [n, 3, 8 h, 8 w] in -1..1. The layers over time see these
    frames alone."""

    def run_it(check_finite=False):
        return run(
            "vae_decoder", {"latents": beside(latents, weights)}, weights, [len(latents)], check_finite=check_finite
        )[0]

    with explained("decoding frames"):
        return finite(run_it(), "decoding frames", lambda: run_it(True))


def decoded(
    latents: torch.Tensor, decode: Callable[[torch.Tensor], torch.Tensor], chunk: int = CHUNK_FRAMES
) -> Iterator[torch.Tensor]:
    """latents [frames, 4, h, w] -> float32 [up to `chunk`, 3, 8 h, 8 w] in 0..1. `decode`: decode_chunk with its
    weights."""
    for part in latents.split(chunk):
        yield decode(part).float().mul(0.5).add_(0.5).clamp_(0, 1)


def between(before: torch.Tensor, after: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """The frame halfway between two [1, 3, H, W] in 0..1."""

    def run_it(check_finite=False):
        return run(
            "rife",
            {"before": beside(before, weights), "after": beside(after, weights)},
            weights,
            check_finite=check_finite,
        )[0]

    with explained("drawing frames between"):
        return finite(run_it(), "drawing frames between", lambda: run_it(True)).to(after.device)


def with_frames_between(
    chunks: Iterable[torch.Tensor], halfway: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> Iterator[torch.Tensor]:
    """Between every two consecutive frames, also of different chunks, the one halfway: n frames become 2 n - 1."""
    last = None
    for chunk in chunks:
        frames = []
        for frame in chunk.split(1):
            frames += [frame] if last is None else [halfway(last, frame), frame]
            last = frame
        yield torch.cat(frames)


def pictures(chunks: Iterable[torch.Tensor], count: int) -> Iterator[np.ndarray]:
    """The first `count` frames of `chunks` float32 [n, 3, H, W] in 0..1 -> uint8 [n, H, W, 3], rounded to the nearest
    level."""
    for chunk in chunks:
        kept = chunk[:count]
        yield kept.mul(255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        count -= len(kept)
        if count <= 0:
            return
