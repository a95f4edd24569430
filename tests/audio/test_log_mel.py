"""Whisper's log-mel against its definition in float64. test_golden.py has what the reference made of a recording."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from sonic_nodes.extension.native import _sonic

PIECE = 480000


@pytest.fixture(scope="module")
def filters(golden_dir):
    return load_file(golden_dir / "audio_mel.safetensors")["mel_filters"].astype(np.float64)


def reference(x, filters):
    """By the definition, with numpy's FFT in float64."""
    columns = []
    for start in range(0, len(x), PIECE):
        piece = np.zeros(PIECE)
        piece[: min(PIECE, len(x) - start)] = x[start : start + PIECE]
        padded = np.pad(piece, 200, mode="reflect")
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
        frames = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160][:3000] * window
        logarithms = np.log10(np.maximum(np.abs(np.fft.rfft(frames)) ** 2 @ filters, 1e-10)).T
        columns.append((np.maximum(logarithms, logarithms.max() - 8) + 4) / 4)
    return np.concatenate(columns, axis=1)


def sounds():
    rng = np.random.default_rng(0)
    t = np.arange(PIECE) / 16000
    return {
        "noise": 0.1 * rng.standard_normal(PIECE),
        "full scale noise": rng.uniform(-1, 1, PIECE),
        "tone over a faint floor": 0.9 * np.sin(2 * np.pi * 1234 * t) + 1e-4 * rng.standard_normal(PIECE),
        "low tone": 0.9 * np.sin(2 * np.pi * 76 * t),
        "sweep": np.sin(2 * np.pi * (20 + 130 * t) * t),
        "constant": np.full(PIECE, 0.8),
        "click at the start": np.eye(1, PIECE, 0)[0],
        "click at the end": np.eye(1, PIECE, PIECE - 1)[0],
        "click on a window's edge": np.eye(1, PIECE, 200)[0],
        "quiet": 1e-5 * rng.standard_normal(PIECE),
        "silence": np.zeros(PIECE),
        "one sample": np.ones(1),
        "short": rng.uniform(-1, 1, 163),
        "half": rng.uniform(-1, 1, 240000 + 77),
        "one and a bit": rng.uniform(-1, 1, PIECE + 1),
        "two and a half": rng.uniform(-1, 1, PIECE * 5 // 2) * np.repeat([1, 0.01, 0.3, 0.001, 1], PIECE // 2),
    }


@pytest.mark.parametrize("name", sounds())
def test_against_the_definition(name, filters):
    x = sounds()[name].astype(np.float32)
    mel = _sonic.log_mel(x)
    assert mel.shape == (80, 3000 * -(-len(x) // PIECE)) and mel.dtype == np.float32
    assert np.abs(mel - reference(x, filters)).max() < 8e-5


def test_pieces_are_independent():
    rng = np.random.default_rng(0)
    loud, quiet = rng.uniform(-1, 1, PIECE).astype(np.float32), (1e-3 * rng.uniform(-1, 1, 1000)).astype(np.float32)
    both = _sonic.log_mel(np.concatenate([loud, quiet]))
    assert np.array_equal(both[:, :3000], _sonic.log_mel(loud)) and np.array_equal(
        both[:, 3000:], _sonic.log_mel(quiet)
    )


def test_limits():
    with pytest.raises(ValueError, match="^Give a recording that contains sound"):
        _sonic.log_mel(np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="^Use a shorter recording"):
        _sonic.log_mel(np.zeros(240 * PIECE + 1, np.float32))
    with pytest.raises(ValueError, match="dimensions"):
        _sonic.log_mel(np.zeros((1, 16000), np.float32))
