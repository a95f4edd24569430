"""What SONIC_PreData says under the node about an AUDIO's channels and voice."""

import numpy as np
import pytest
import torch

from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.image import read_picture


def prepared(nodes, sample_dir, *channels):
    """(SONIC_PREDATA, the text under the node)"""
    audio = {"waveform": torch.from_numpy(np.stack(channels).astype(np.float32))[None], "sample_rate": 16000}
    image = torch.from_numpy(read_picture(sample_dir / "portrait.jpg"))[None].float() / 255
    out = nodes["SONIC_PreData"].execute(audio, image, 128, 0.0, 0.18)
    return out.args[0], "\n".join(out.ui.get("text", ())), out.args[2]["waveform"]


@pytest.fixture(scope="module")
def voice(sample_dir):
    return read_sound(sample_dir / "speech.wav").waveform[0, :24000]


def test_channels_that_cancel(nodes, sample_dir, voice):
    data, text, waveform = prepared(nodes, sample_dir, voice, -0.97 * voice)
    assert np.allclose(data["audio"], voice) and "The mouth follows channel 1" in text and "No voice" not in text
    assert waveform.shape == (1, 2, 24000) and torch.equal(waveform[0, 1], torch.from_numpy(-0.97 * voice).float())


def test_silence_and_agreement(nodes, sample_dir, voice):
    assert "No voice is heard" in prepared(nodes, sample_dir, 0 * voice)[1]
    data, text, _ = prepared(nodes, sample_dir, voice, 0.5 * voice)
    assert np.array_equal(data["audio"], np.stack([voice, 0.5 * voice]).astype(np.float32).mean(0, dtype=np.float32))
    assert "voice" not in text
