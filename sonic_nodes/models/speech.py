"""The recording's part: Whisper's states, and for each latent frame its audio tokens and motion numbers.

Everything goes in pieces of 30 s, so memory does not grow with the recording but for the results.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..extension.native import _sonic
from .call import run
from .errors import explained, finite
from .picture import beside

PIECE_SAMPLES = 480_000  # Whisper hears 30 s of 16 kHz at a time
PIECE_ROWS = 1500  # and gives 50 rows a second
FRAME_SAMPLES = 640  # of one picture at 25 a second, which is two rows
ROWS_PER_LATENT = 4
TOKEN_ROWS = (4, 6)  # audio_tokens.h: latent frame i sees the rows 4 i - 4 ... 4 i + 5
BUCKET_ROWS = (24, 26)  # motion_bucket.h: 4 i - 24 ... 4 i + 25
BLOCK_FRAMES = PIECE_ROWS // ROWS_PER_LATENT


def heard_rows(samples: int) -> int:
    """Rows of states that a recording of 16 kHz fills: two for each whole picture."""
    return 2 * (samples // FRAME_SAMPLES)


@dataclass(frozen=True)
class SpeechTokens:
    """What the UNet hears, float32 in host memory."""

    tokens: torch.Tensor  # [latent frames, tokens, context]
    silence: torch.Tensor  # [tokens, context]: stands for "no sound" in guidance
    buckets: torch.Tensor  # [latent frames, 2]: motion bucket, and what stands in the slot of SVD's noise augmentation

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.tokens, self.silence, self.buckets))


class States:
    """Whisper's hidden states of a recording, computed when asked for, in order; what lies outside `rows` is zero."""

    def __init__(
        self,
        audio: np.ndarray,
        rows: int,
        weights: dict[str, torch.Tensor],
        heads: int,
        told: Callable[[], None] | None = None,
    ):
        """audio: float32 mono 16 kHz. rows: how many count. told: called after each piece."""
        self.audio, self.rows, self.weights, self.heads, self.told = audio, rows, weights, heads, told
        self.pieces: dict[int, torch.Tensor] = {}

    def piece(self, i: int) -> torch.Tensor:
        """[1500, layers, channels]. Only the last three asked for are kept: a window reaches half a second into its
        neighbours."""
        if i not in self.pieces:
            mel = torch.from_numpy(
                _sonic.log_mel(np.ascontiguousarray(self.audio[i * PIECE_SAMPLES : (i + 1) * PIECE_SAMPLES]))
            )
            states = checked("whisper", {"mel": beside(mel, self.weights)}, self.weights, [self.heads])
            self.pieces = {j: kept for j, kept in self.pieces.items() if j > i - 3} | {i: states}
            if self.told:
                self.told()
        return self.pieces[i]

    def between(self, first: int, last: int) -> torch.Tensor:
        """Rows first ... last - 1: [last - first, layers, channels], zeros where there is no sound."""
        parts, at = [], max(first, 0)
        while at < min(last, self.rows):
            i, start = divmod(at, PIECE_ROWS)
            stop = min(PIECE_ROWS, min(last, self.rows) - i * PIECE_ROWS)
            parts.append(self.piece(i)[start:stop])
            at = i * PIECE_ROWS + stop
        heard = torch.cat(parts) if parts else self.piece(0)[:0]
        before = min(max(0, -first), last - first)
        return torch.nn.functional.pad(heard, (0, 0, 0, 0, before, last - first - before - len(heard)))


def windows(states: torch.Tensor, frames: int, length: int) -> torch.Tensor:
    """The `length` rows from row 4 i on, for each frame i, flattened in (row, layer, channel) order: [frames, length *
    ...]."""
    rows = states.unfold(0, length, ROWS_PER_LATENT)[:frames]  # [frames, layers, channels, length]
    return rows.permute(0, 3, 1, 2).reshape(frames, -1)


def checked(
    network: str, inputs: dict[str, torch.Tensor], weights: dict[str, torch.Tensor], numbers=()
) -> torch.Tensor:
    """The first result of a network; InputError when it is not finite."""
    with explained("listening to the recording"):
        out = run(network, inputs, weights, numbers)[0]
        return finite(
            out, "listening to the recording", lambda: run(network, inputs, weights, numbers, check_finite=True)
        )


def speech_tokens(
    states: States,
    image: torch.Tensor,
    frames: int,
    token_weights: dict[str, torch.Tensor],
    bucket_weights: dict[str, torch.Tensor],
    told: Callable[[], None] | None = None,
) -> SpeechTokens:
    """Of `frames` latent frames. image: CLIP's embedding [1, context]. told: called after each block of 30 s."""
    image = beside(image, bucket_weights)
    width = token_weights["audio2token.proj1.weight"].shape[1]
    silence = checked(
        "audio_tokens_from_windows", {"windows": beside(torch.zeros(1, width), token_weights)}, token_weights
    )
    tokens, buckets = torch.empty(frames, *silence.shape[1:]), torch.empty(frames, 2)
    for start in range(0, frames, BLOCK_FRAMES):
        count = min(BLOCK_FRAMES, frames - start)
        first, last = ROWS_PER_LATENT * start, ROWS_PER_LATENT * (start + count - 1)
        heard = states.between(first - BUCKET_ROWS[0], last + BUCKET_ROWS[1])
        near = windows(heard[BUCKET_ROWS[0] - TOKEN_ROWS[0] :], count, sum(TOKEN_ROWS))
        wide = windows(heard[:, -1:], count, sum(BUCKET_ROWS))
        tokens[start : start + count] = checked("audio_tokens_from_windows", {"windows": near}, token_weights)
        buckets[start : start + count] = checked(
            "motion_bucket_from_windows", {"windows": wide, "image": image}, bucket_weights
        )
        if told:
            told()
    return SpeechTokens(tokens, silence[0].float().cpu(), buckets * 16 + 16)


def pieces_of(samples: int, frames: int) -> int:
    """How many times States and speech_tokens call what they are told with."""
    return max(1, -(-samples // PIECE_SAMPLES)) + -(-frames // BLOCK_FRAMES)
