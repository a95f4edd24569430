"""Reads the golden files: the weights of a network, and recorded inputs and outputs."""

from pathlib import Path

import torch
from safetensors.torch import load_file

FOLDER = Path(__file__).resolve().parent.parent / "golden"


def read(name):
    """{name: tensor}; floating-point tensors as float32."""
    return {
        key: value.float() if value.is_floating_point() else value
        for key, value in load_file(FOLDER / f"{name}.safetensors").items()
    }


def weights(name, dtype=torch.float32):
    return {key: value.to(dtype) for key, value in read(name).items() if not key.startswith("io_")}


def relative(got, expected):
    """The relative error in the 2-norm."""
    assert got.shape == expected.shape, (got.shape, expected.shape)
    return float((got.double() - expected.double()).norm() / expected.double().norm())


def full_mel():
    """The log-mel of 30 s, [80, 3000]: the recorded columns, then the constant of silence."""
    audio = read("audio_mel")
    mel = torch.full((80, 3000), float(audio["mel_tail_constant"]))
    mel[:, :260] = audio["mel"][0]
    return mel
