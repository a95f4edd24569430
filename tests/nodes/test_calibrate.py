"""Lip-sync Calibrate as ComfyUI calls it: returns the same images, and the sound shifted or as the same object."""

import json
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
import torch

from sonic_nodes.lipsync import fix
from sonic_nodes.nodes.comfy_types import audio_from_sound, image_from_uint8
from tests.lipsync.speaking import frames, speech, track


@pytest.fixture(scope="module")
def images():
    return image_from_uint8(frames()[:150])


@pytest.fixture
def tracked_once(monkeypatch):
    """The mouth track of the clip, computed once: these tests are about its sound."""
    from sonic_nodes.lipsync import estimate

    tracker = SimpleNamespace(update=lambda frame, time_s: None, track=track())
    monkeypatch.setattr(estimate, "mouth_tracker", lambda: tracker)


@pytest.mark.parametrize("mode", ["fix", "measure"])
def test_images_pass_through_and_late_sound_is_shifted(nodes, images, mode, request):
    if mode == "measure":
        request.getfixturevalue("tracked_once")
    audio = audio_from_sound(fix.shifted(speech(), 160.0))
    given = audio["waveform"].clone()
    out = nodes["SonicLipSyncCalibrate"].execute(images, audio, 25.0, mode, 200.0)
    pictures, sound, offset_ms, confidence, plot, _ = out.args
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


@pytest.mark.parametrize(
    "audio", [audio_from_sound(speech()), {"waveform": torch.zeros(1, 2, 96000), "sample_rate": 16000}]
)
def test_sound_in_sync_or_not_measurable_is_returned_as_the_same_object(nodes, images, tracked_once, audio):
    pictures, sound, *_ = nodes["SonicLipSyncCalibrate"].execute(images, audio, 25.0, "fix", 600.0).args
    assert pictures is images and sound is audio


def test_an_offset_beyond_max_offset_ms_is_reported_but_not_corrected(nodes, images, tracked_once):
    audio = audio_from_sound(fix.shifted(speech(), 330.0))
    out = nodes["SonicLipSyncCalibrate"].execute(images, audio, 25.0, "fix", 200.0)
    assert out.args[1] is audio and out.args[2] == pytest.approx(330, abs=25)
    assert "max_offset_ms" in out.ui["text"][0]


class LazyAudio(Mapping):
    """An AUDIO that is a Mapping but not a dict, as VideoHelperSuite's loaders return it."""

    def __init__(self, audio):
        self.audio = audio

    def __getitem__(self, key):
        return self.audio[key]

    def __iter__(self):
        return iter(self.audio)

    def __len__(self):
        return len(self.audio)


def late(change=lambda waveform: waveform):
    audio = audio_from_sound(fix.shifted(speech(), 160.0))
    return {**audio, "waveform": change(audio["waveform"])}


AUDIO_VARIANTS = {
    "lazy mapping": lambda: LazyAudio(late()),
    "float64": lambda: late(lambda w: w.double()),
    "half": lambda: late(lambda w: w.half()),
    "with gradient": lambda: late(lambda w: w.clone().requires_grad_()),
    "not contiguous": lambda: late(lambda w: w.expand(1, 2, -1).transpose(1, 2).contiguous().transpose(1, 2)),
    "without the batch": lambda: late(lambda w: w[0]),
    "a batch": lambda: late(lambda w: torch.cat([w, 0.5 * w.flip(-1)])),
    "rate as float": lambda: {**late(), "sample_rate": 16000.0, "title": "kept"},
}


@pytest.mark.parametrize("name", AUDIO_VARIANTS)
def test_audio_of_any_layout_is_shifted(nodes, images, tracked_once, name):
    audio = AUDIO_VARIANTS[name]()
    out = nodes["SonicLipSyncCalibrate"].execute(images[:50], audio, 25.0, "fix", 200.0)
    moved, given = out.args[1], audio["waveform"].detach().float()
    earlier = round((out.args[2] - fix.TARGET_MS) * 16)
    assert earlier > 1600 and moved["waveform"].shape == given.shape
    assert torch.equal(moved["waveform"][..., 400:100000], given[..., 400 + earlier : 100000 + earlier])
    assert set(moved) == set(audio) and moved["sample_rate"] == 16000
    assert any("first was used" in line for line in out.ui["text"][0].splitlines()) == (name == "a batch")


@pytest.mark.parametrize(
    "audio",
    [
        None,
        {},
        [],
        {"waveform": None, "sample_rate": 16000},
        {"waveform": torch.zeros(1, 1, 0), "sample_rate": 16000},
        {"waveform": torch.zeros(0, 1, 100), "sample_rate": 16000},
        {"waveform": torch.full((1, 1, 99000), float("nan")), "sample_rate": 16000},
        {"waveform": torch.full((1, 1, 99000), float("inf")), "sample_rate": 16000},
        {"waveform": torch.zeros(1, 1, 99000)},
        {"waveform": torch.zeros(1, 1, 99000), "sample_rate": None},
        {"waveform": torch.zeros(1, 1, 99000), "sample_rate": float("nan")},
        {"waveform": torch.zeros(1, 1, 99000), "sample_rate": float("inf")},
        {"waveform": torch.zeros(1, 1, 99000), "sample_rate": -5},
        {"waveform": torch.zeros(1, 1, 1, 99000), "sample_rate": 16000},
        {"waveform": torch.zeros(1, 40, 9000), "sample_rate": 16000},
        {"waveform": torch.ones(1, 1, 99000).int() * 9000, "sample_rate": 16000},
    ],
)
def test_invalid_audio_is_returned_with_a_reason(nodes, images, audio):
    out = nodes["SonicLipSyncCalibrate"].execute(images[:4], audio, 25.0, "fix", 600.0)
    assert out.args[0].shape[0] == 4 and out.args[1] is audio and out.args[2:4] == (0.0, 0.0)
    assert out.ui["text"][0].startswith("Nothing was measured: ") and out.args[4].shape == (1, 540, 960, 3)


INVALID_CLIPS = {
    "none": None,
    "0 frames": torch.zeros(0, 64, 64, 3),
    "grey": torch.zeros(5, 64, 64, 1),
    "flat": torch.zeros(64, 64, 3),
    "NaN": torch.full((5, 64, 64, 3), float("nan")),
    "infinite": torch.full((5, 64, 64, 3), float("inf")),
    "1 frame": torch.zeros(1, 64, 64, 3),
}


@pytest.mark.parametrize("name", INVALID_CLIPS)
def test_an_invalid_clip_is_returned_with_a_reason(nodes, name):
    audio = audio_from_sound(speech())
    out = nodes["SonicLipSyncCalibrate"].execute(INVALID_CLIPS[name], audio, 25.0, "fix", 600.0)
    assert out.args[0] is INVALID_CLIPS[name] and out.args[1] is audio and out.args[3] == 0.0
    assert out.ui["text"][0].startswith("Nothing was measured: ")


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images.half(),
        lambda images: images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1),
        lambda images: torch.cat([images, torch.ones_like(images[..., :1])], dim=-1),
        lambda images: images * 1.2 - 0.1,
        lambda images: images.double().requires_grad_(),
    ],
)
def test_images_of_any_layout_are_read_and_returned(nodes, images, change):
    given = change(images[:10])
    out = nodes["SonicLipSyncCalibrate"].execute(given, late(), 25.0, "fix", 200.0)
    assert out.args[0] is given and "too short" in out.ui["text"][0]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ((0.5, "fix", 200.0), "Set fps between 1 and 240"),
        ((1000.0, "fix", 200.0), "Set fps between 1 and 240"),
        ((float("nan"), "fix", 200.0), "Set fps between 1 and 240"),
        ((25.0, "correct", 200.0), "Set mode"),
        ((25.0, "fix", 601.0), "Set max_offset_ms between 0 and 600"),
        ((25.0, "fix", float("nan")), "Set max_offset_ms between 0 and 600"),
    ],
)
def test_settings_out_of_range_are_errors_with_a_remedy(nodes, images, arguments, remedy):
    with pytest.raises(ValueError, match=f"^{remedy}"):
        nodes["SonicLipSyncCalibrate"].execute(images, late(), *arguments)


@pytest.mark.parametrize("fps", [1.0, 240.0])
def test_a_wrong_frame_rate_shifts_nothing(nodes, images, fps):
    audio = late()
    out = nodes["SonicLipSyncCalibrate"].execute(images[:60], audio, fps, "fix", 600.0)
    assert out.args[1] is audio and out.args[3] < 0.9


def test_cancel_stops_at_the_next_frame(nodes, images, comfy, monkeypatch):
    from sonic_nodes.face_tracker import FaceTracker

    seen = []

    def update(self, frame, time_s):
        seen.append(time_s)
        comfy.cancelled = len(seen) >= 3

    monkeypatch.setattr(FaceTracker, "update", update)
    with pytest.raises(Exception) as raised:
        nodes["SonicLipSyncCalibrate"].execute(images, late(), 25.0, "fix", 600.0)
    assert type(raised.value).__name__ == "Cancelled" and len(seen) == 3


UNMEASURABLE = {
    "few frames": (slice(30), {}, "too short"),
    "short sound": (slice(150), {"waveform": torch.full((1, 1, 16000), 0.1), "sample_rate": 16000}, "too short"),
    "silence": (slice(150), {"waveform": torch.zeros(1, 1, 99000), "sample_rate": 16000}, "silent"),
    "slow": (slice(None), {}, "too few"),
}


@pytest.mark.parametrize("name", UNMEASURABLE)
def test_what_cannot_be_measured_is_found_before_the_work(nodes, images, monkeypatch, name):
    from sonic_nodes.lipsync import estimate

    monkeypatch.setattr(estimate, "mouth_tracker", lambda: pytest.fail("the frames were searched"))
    chosen, audio, reason = UNMEASURABLE[name]
    fps = 2.0 if name == "slow" else 25.0
    out = nodes["SonicLipSyncCalibrate"].execute(images[chosen], audio or late(), fps, "fix", 200.0)
    assert reason in out.ui["text"][0] and out.args[3] == 0


def test_the_plot_of_a_measurement_is_shown_under_the_node(nodes, images, tracked_once):
    measured = nodes["SonicLipSyncCalibrate"].execute(images[:50], late(), 25.0, "measure", 200.0)
    (drawn,) = measured.ui["sonic_plot"]
    assert measured.ui["text"] and json.loads(json.dumps(drawn)) == drawn
    assert (drawn["offset_ms"], drawn["confidence"]) == (round(measured.args[2], 1), round(measured.args[3], 3))
    assert min(drawn["scores"]) == 0 and max(drawn["scores"]) == 1
    best = drawn["scores"].index(1) / (len(drawn["scores"]) - 1)
    assert (2 * best - 1) * drawn["max_offset_ms"] == pytest.approx(drawn["offset_ms"], abs=20)
    assert len(drawn["mouth"]) == len(drawn["sound"]) == round((drawn["to_s"] - drawn["from_s"]) * 100) + 1
    assert "sonic_plot" not in nodes["SonicLipSyncCalibrate"].execute(images[:4], late(), 25.0, "measure", 200.0).ui


def test_the_time_left_is_shown_under_the_node(nodes, images, tracked_once, comfy, monkeypatch):
    import sys

    clock = iter(range(10**6))
    monkeypatch.setattr(sys.modules["sonic_nodes.nodes.common"].time, "monotonic", lambda: next(clock))
    nodes["SonicLipSyncCalibrate"].execute(images[:50], late(), 25.0, "measure", 200.0)
    assert comfy.progress[0][:2] == (0, 50) and comfy.progress[-1][:2] == (50, 50)
    assert comfy.texts and all(node == "7" for node, _ in comfy.texts) and " left" in comfy.texts[0][1]
