"""The recording's networks: Whisper's hidden states, and for each latent frame its audio tokens and motion buckets.

Both are computed in segments of 30 s, so only the results grow with the recording.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..extension.native import _sonic
from .call import run_network
from .constants import FPS
from .errors import require_finite, user_errors
from .picture import match_weights

SAMPLE_RATE = 16_000
SEGMENT_SAMPLES = 30 * SAMPLE_RATE  # Whisper's input
SEGMENT_ROWS = 1500  # of hidden states: 50 a second
FRAME_SAMPLES = SAMPLE_RATE // FPS  # of one video frame, two rows
ROWS_PER_LATENT = 4
TOKEN_ROWS = (4, 6)  # audio_tokens.h: latent frame i uses the rows 4 i - 4 ... 4 i + 5
BUCKET_ROWS = (24, 26)  # motion_bucket.h: 4 i - 24 ... 4 i + 25
BLOCK_FRAMES = SEGMENT_ROWS // ROWS_PER_LATENT

STAGE = "encoding the recording"


def state_rows(samples: int) -> int:
    """Rows of hidden states for a recording of 16 kHz: two for each whole video frame."""
    return 2 * (samples // FRAME_SAMPLES)


@dataclass(frozen=True)
class SpeechTokens:
    """The UNet's audio conditions, float32 in host memory."""

    tokens: torch.Tensor  # [latent frames, tokens, context]
    silence: torch.Tensor  # [tokens, context]: the unconditional input of guidance
    buckets: torch.Tensor  # [latent frames, 2]: motion bucket, and the one in the place of SVD's noise augmentation

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.tokens, self.silence, self.buckets))


class States:
    """Whisper's hidden states of a recording, computed on demand and in order. Outside 0 .. `rows` they are zeros."""

    def __init__(
        self,
        audio: np.ndarray,
        rows: int,
        weights: dict[str, torch.Tensor],
        heads: int,
        on_progress: Callable[[], None] | None = None,
    ):
        """audio: float32 mono 16 kHz. rows: of the recording. on_progress: called after each segment."""
        self.audio, self.rows, self.weights, self.heads, self.on_progress = audio, rows, weights, heads, on_progress
        self.segments: dict[int, torch.Tensor] = {}

    def segment(self, i: int) -> torch.Tensor:
        """[1500, layers, channels]. The last three are kept: windows reach half a second into neighbouring segments."""
        if i not in self.segments:
            audio = np.ascontiguousarray(self.audio[i * SEGMENT_SAMPLES : (i + 1) * SEGMENT_SAMPLES])
            mel = match_weights(torch.from_numpy(_sonic.log_mel(audio)), self.weights)
            states = run_checked("whisper", {"mel": mel}, self.weights, [self.heads])
            self.segments = {j: kept for j, kept in self.segments.items() if j > i - 3} | {i: states}
            if self.on_progress:
                self.on_progress()
        return self.segments[i]

    def between(self, first: int, last: int) -> torch.Tensor:
        """Rows first ... last - 1: [last - first, layers, channels]."""
        parts, at = [], max(first, 0)
        while at < min(last, self.rows):
            i, start = divmod(at, SEGMENT_ROWS)
            stop = min(SEGMENT_ROWS, min(last, self.rows) - i * SEGMENT_ROWS)
            parts.append(self.segment(i)[start:stop])
            at = i * SEGMENT_ROWS + stop
        states = torch.cat(parts) if parts else self.segment(0)[:0]
        before = min(max(0, -first), last - first)
        return torch.nn.functional.pad(states, (0, 0, 0, 0, before, last - first - before - len(states)))


def windows(states: torch.Tensor, frames: int, length: int) -> torch.Tensor:
    """For each frame i the `length` rows from row 4 i on, flattened in (row, layer, channel) order: [frames, length *
    ...]."""
    rows = states.unfold(0, length, ROWS_PER_LATENT)[:frames]  # [frames, layers, channels, length]
    return rows.permute(0, 3, 1, 2).reshape(frames, -1)


def run_checked(
    network: str, inputs: dict[str, torch.Tensor], weights: dict[str, torch.Tensor], numbers=()
) -> torch.Tensor:
    """The first output of a network; InputError when it is not finite."""

    def run(check_finite=False):
        return run_network(network, inputs, weights, numbers, check_finite=check_finite)[0]

    with user_errors(STAGE):
        return require_finite(run(), STAGE, lambda: run(True))


def speech_tokens(
    states: States,
    image: torch.Tensor,
    frames: int,
    token_weights: dict[str, torch.Tensor],
    bucket_weights: dict[str, torch.Tensor],
    on_progress: Callable[[], None] | None = None,
) -> SpeechTokens:
    """For `frames` latent frames. image: CLIP's embedding [1, context]. on_progress: called after every 30 s."""
    image = match_weights(image, bucket_weights)
    width = token_weights["audio2token.proj1.weight"].shape[1]
    zeros = match_weights(torch.zeros(1, width), token_weights)
    silence = run_checked("audio_tokens_from_windows", {"windows": zeros}, token_weights)
    tokens, buckets = torch.empty(frames, *silence.shape[1:]), torch.empty(frames, 2)
    for start in range(0, frames, BLOCK_FRAMES):
        count = min(BLOCK_FRAMES, frames - start)
        first, last = ROWS_PER_LATENT * start, ROWS_PER_LATENT * (start + count - 1)
        rows = states.between(first - BUCKET_ROWS[0], last + BUCKET_ROWS[1])
        token_windows = windows(rows[BUCKET_ROWS[0] - TOKEN_ROWS[0] :], count, sum(TOKEN_ROWS))
        bucket_windows = windows(rows[:, -1:], count, sum(BUCKET_ROWS))
        tokens[start : start + count] = run_checked(
            "audio_tokens_from_windows", {"windows": token_windows}, token_weights
        )
        buckets[start : start + count] = run_checked(
            "motion_bucket_from_windows", {"windows": bucket_windows, "image": image}, bucket_weights
        )
        if on_progress:
            on_progress()
    return SpeechTokens(tokens, silence[0].float().cpu(), buckets * 16 + 16)


def progress_steps(samples: int, frames: int) -> int:
    """How many times States and speech_tokens call on_progress."""
    return max(1, -(-samples // SEGMENT_SAMPLES)) + -(-frames // BLOCK_FRAMES)
