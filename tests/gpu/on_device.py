"""Tests of the networks on another device than the CPU (`pytest --device simulated:1`, or cuda): what they pass to an
operator is moved there, and what it returns is moved back, so that they need not know. A test that chooses the devices
of its tensors itself, by the fixture `device`, is left alone."""

from pathlib import Path

import torch

from sonic_nodes.engines import sonic
from sonic_nodes.extension import native
from sonic_nodes.models import call as network_call

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("torch", "models", "sampler", "engines")
# Operands that C reads in host memory (unet_types.h), and the table of audio tokens, which stays there.
ON_THE_HOST = {
    "face_mask",
    *(f"constants.{name}" for name in ("layout", "audio_scale", "rectangles", "mixes", "audio")),
}


def moving_call(device: str):
    """native.call with operands on `device`. Operands already there stay, and then so do the results."""

    def call(name, tensors, names="", numbers=(), float16_sums=False):
        tensors = list(tensors)
        if any(isinstance(t, torch.Tensor) and t.device.type != "cpu" for t in tensors):
            return native.call(name, tensors, names, numbers, float16_sums)
        lines = [*names.split("\n"), *[""] * len(tensors)]
        moved = [
            t if not isinstance(t, torch.Tensor) or label in ON_THE_HOST else t.to(device)
            for t, label in zip(tensors, lines, strict=False)
        ]
        results = native.call(name, moved, names, numbers, float16_sums)
        for given, there in zip(tensors, moved, strict=True):
            if "in_place" in names and there is not given:
                given.copy_(there)
        return [result.cpu() for result in results]

    return call


def redirect(monkeypatch, module, device: str) -> None:
    """For one test of `module`: operators and engines compute on `device`, in fp32 unless the test says otherwise."""
    call = moving_call(device)
    monkeypatch.setattr(network_call, "call", call)
    if getattr(module, "call", None) is native.call:
        monkeypatch.setattr(module, "call", call)
    defaults = sonic.SonicEngine.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "device", device)
    monkeypatch.setitem(defaults, "precision", "fp32")


def reset_peaks() -> None:
    from tests.gpu import simulated_gpu

    simulated_gpu.start().library.simulated_reset_peaks()


def check_other_devices(device: str) -> None:
    """That no tensor was put on another simulated device than this one since the last reset of the peaks."""
    from tests.gpu import simulated_gpu

    gpu = simulated_gpu.start()
    for i in range(2):
        name = f"simulated:{i}"
        assert name == device or gpu.peak(i) == 0, f"{gpu.peak(i)} bytes were put on {name}"
