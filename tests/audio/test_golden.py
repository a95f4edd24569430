"""Against golden tensors from upstream's own preprocessing."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from sonic_nodes.extension.native import _sonic
from sonic_nodes.media.audio import Sound


@pytest.fixture(scope="module")
def golden(golden_dir):
    return load_file(golden_dir / "audio_mel.safetensors")


def test_log_mel(golden):
    mel = _sonic.log_mel(golden["mono_16k"])
    assert mel.shape == (80, 3000) and mel.dtype == np.float32
    expected = golden["mel"].reshape(80, -1)
    assert np.abs(mel[:, : expected.shape[1]] - expected).max() <= 2e-5
    assert np.abs(mel[:, expected.shape[1] :] - golden["mel_tail_constant"]).max() <= 1e-6


def test_mono_16k(golden):
    stereo = np.ascontiguousarray(golden["stereo_44k_s16"].T.astype(np.float32) / 32768)
    mono = Sound(stereo, 44100).mono_16k()
    assert mono.shape == golden["mono_16k"].shape
    assert np.linalg.norm(mono - golden["mono_16k"]) <= 1e-3 * np.linalg.norm(golden["mono_16k"])
