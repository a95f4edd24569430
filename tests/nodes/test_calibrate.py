"""Lip-sync Calibrate as ComfyUI calls it: the pictures are handed on themselves, the sound is moved or handed on itself."""
import pytest
import torch

from sonic_nodes.exchange import audio_from_sound, image_from_pictures
from sonic_nodes.sync import fix
from tests.post.speaking import frames, speech


@pytest.fixture(scope="module")
def images():
    return image_from_pictures(frames()[:150])


@pytest.mark.parametrize("mode", ["fix", "measure"])
def test_the_pictures_pass_through_and_late_sound_is_moved(nodes, images, mode):
    audio = audio_from_sound(fix.moved(speech(), 160.0))
    given = audio["waveform"].clone()
    out = nodes["SonicLipSyncCalibrate"].execute(images, audio, 25.0, mode, 200.0)
    pictures, sound, offset_ms, confidence, plot = out.args
    assert pictures is images
    assert offset_ms == pytest.approx(160, abs=25) and confidence >= 0.9
    assert plot.shape == (1, 540, 960, 3)
    assert torch.equal(audio["waveform"], given)
    if mode == "measure":
        assert sound is audio
    else:
        earlier = round((offset_ms - fix.TARGET_MS) * 16)
        assert sound["waveform"].shape == given.shape
        assert torch.equal(sound["waveform"][..., 400:100000], given[..., 400 + earlier : 100000 + earlier])


@pytest.mark.parametrize("audio", [audio_from_sound(speech()), {"waveform": torch.zeros(1, 2, 96000), "sample_rate": 16000}])
def test_what_fits_or_cannot_be_measured_is_handed_on_itself(nodes, images, audio):
    pictures, sound, *_ = nodes["SonicLipSyncCalibrate"].execute(images, audio, 25.0, "fix", 600.0).args
    assert pictures is images and sound is audio


def test_too_large_an_offset_is_told_and_stays(nodes, images):
    audio = audio_from_sound(fix.moved(speech(), 330.0))
    out = nodes["SonicLipSyncCalibrate"].execute(images, audio, 25.0, "fix", 200.0)
    assert out.args[1] is audio and out.args[2] == pytest.approx(330, abs=25)
    assert "max_offset_ms" in out.ui["text"][0]
