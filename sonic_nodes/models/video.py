"""From latents to frames: the temporal VAE decoder in fixed chunks and RIFE's frame interpolation, streamed into host
memory."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from .call import run_network
from .constants import CHUNK
from .errors import require_finite, user_errors
from .picture import match_weights

DECODING, INTERPOLATING = "decoding frames", "interpolating frames"


def decode_chunk(latents: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """latents [n, 4, h, w], already divided by 0.18215 -> [n, 3, 8 h, 8 w] in -1..1. Temporal layers see these frames
    only, so the pixels depend on the chunk."""

    def decode(check_finite=False):
        inputs = {"latents": match_weights(latents, weights)}
        return run_network("vae_decoder", inputs, weights, [len(latents)], check_finite=check_finite)[0]

    with user_errors(DECODING):
        return require_finite(decode(), DECODING, lambda: decode(True))


def decode_chunks(
    latents: torch.Tensor, decode: Callable[[torch.Tensor], torch.Tensor], chunk: int = CHUNK
) -> Iterator[torch.Tensor]:
    """latents [frames, 4, h, w] -> float32 [up to `chunk`, 3, 8 h, 8 w] in 0..1. `decode`: decode_chunk with its
    weights."""
    for part in latents.split(chunk):
        with user_errors(DECODING):
            frames = decode(part).float().mul(0.5).add_(0.5).clamp_(0, 1)
        yield frames


def between(before: torch.Tensor, after: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """RIFE's frame halfway between two [1, 3, H, W] in 0..1."""

    def interpolate_pair(check_finite=False):
        inputs = {"before": match_weights(before, weights), "after": match_weights(after, weights)}
        return run_network("rife", inputs, weights, check_finite=check_finite)[0]

    with user_errors(INTERPOLATING):
        return require_finite(interpolate_pair(), INTERPOLATING, lambda: interpolate_pair(True)).to(after.device)


def interpolate(
    chunks: Iterable[torch.Tensor], halfway: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> Iterator[torch.Tensor]:
    """Inserts halfway(a, b) between every two consecutive frames, across chunks too: n frames become 2 n - 1."""
    last = None
    for chunk in chunks:
        frames = []
        for frame in chunk.split(1):
            frames += [frame] if last is None else [halfway(last, frame), frame]
            last = frame
        with user_errors(INTERPOLATING):
            joined = torch.cat(frames)
        yield joined


def uint8_frames(chunks: Iterable[torch.Tensor], count: int) -> Iterator[np.ndarray]:
    """The first `count` frames of `chunks`, float32 [n, 3, H, W] in 0..1 -> uint8 [n, H, W, 3], rounded to nearest."""
    for chunk in chunks:
        kept = chunk[:count]
        with user_errors(DECODING):
            frames = kept.mul(255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        yield frames
        count -= len(kept)
        if count <= 0:
            return
