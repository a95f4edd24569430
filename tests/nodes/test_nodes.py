"""What the nodes do with what they are given, against an engine made for the purpose."""
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_nodes.errors import NoFaceError, UsageError

HEIGHT, WIDTH, FRAMES = 64, 96, 20


class Engine:
    """Gives frame k the level k."""

    name = "test"
    ignored = ("inference_steps", "audio_guidance")
    frames = 0

    def after_frame(self, frame):
        pass

    def settings(self, **values):
        return values

    def infer(self, data, seed, settings, progress):
        progress(data["frames"], data["frames"])
        return {"samples": torch.zeros(1), "sonic": {"seed": seed, "settings": settings}}

    def decode(self, latent, data, progress, interpolate=True):
        shown = np.arange(0, data["frames"], 1 if interpolate else 2, dtype=np.uint8)
        for start in range(0, len(shown), 8):
            levels = shown[start:start + 8]
            for i, level in enumerate(levels):
                self.frames += 1
                self.after_frame(int(level))
                progress(start + i + 1, len(shown))
            yield np.broadcast_to(levels[:, None, None, None], (len(levels), HEIGHT, WIDTH, 3)).copy()


@pytest.fixture
def data():
    return {"version": 1, "image": np.zeros((HEIGHT, WIDTH, 3), np.uint8), "source": np.zeros((201, 301, 3), np.uint8), "frames": FRAMES}


SETTINGS = {"inference_steps": 25, "dynamic_scale": 1.1, "motion_scale": 1.05, "appearance_guidance": 2.0, "audio_guidance": 7.5}


def test_inference_hands_on_all_settings_and_names_those_without_effect(nodes, data):
    out = nodes["SonicInference"].execute(Engine(), data, 7, **SETTINGS)
    assert out.args[0]["sonic"] == {"seed": 7, "settings": SETTINGS}
    assert out.ui["text"] == ("Without effect on the test engine: inference_steps, audio_guidance.",)


def test_decoder_returns_all_frames_with_progress_and_previews(nodes, data, comfy):
    images, fps = nodes["SonicLatentDecoder"].execute(Engine(), {}, data, True).args
    assert images.shape == (FRAMES, HEIGHT, WIDTH, 3) and images.dtype == torch.float32 and fps == 25.0
    assert torch.equal((images[:, 0, 0, 0] * 255).round(), torch.arange(FRAMES).float())
    assert comfy.progress[0][:2] == (0, FRAMES) and comfy.progress[-1][:2] == (FRAMES, FRAMES)
    previews = [preview for _, _, preview in comfy.progress if preview]
    assert previews and previews[-1][0] == "JPEG" and previews[-1][1].size == (WIDTH, HEIGHT)


def test_decoder_without_interpolation_keeps_every_second_frame(nodes, data):
    images, fps = nodes["SonicLatentDecoder"].execute(Engine(), {}, data, False).args
    assert torch.equal((images[:, 0, 0, 0] * 255).round(), torch.arange(0, FRAMES, 2).float()) and fps == 12.5


def test_cancel_ends_decoding_at_the_next_frame(nodes, data, comfy):
    engine = Engine()
    engine.after_frame = lambda frame: setattr(comfy, "cancelled", frame == 4)
    with pytest.raises(Exception) as raised:
        nodes["SonicLatentDecoder"].execute(engine, {}, data, True)
    assert type(raised.value).__name__ == "Cancelled" and engine.frames == 5


def test_the_page_is_told_a_few_times_a_second(nodes, comfy, monkeypatch):
    parts = sys.modules["sonic_nodes.nodes.parts"]
    now = [100.0]
    monkeypatch.setattr(parts.time, "monotonic", lambda: now[0])
    progress = parts.Progress()
    picture = np.zeros((4, 4, 3), np.uint8)
    for frame in range(1, 101):
        now[0] += 0.01
        progress(frame, 100)
        if frame % 8 == 0 or frame == 100:
            progress(frame, 100, picture)
    assert comfy.progress[0][0] == 1 and comfy.progress[-1][0] == 100
    assert 15 <= len(comfy.progress) <= 30
    assert 4 <= sum(preview is not None for _, _, preview in comfy.progress) <= 6


def test_a_clip_that_does_not_fit_is_refused_before_the_work(nodes, data, comfy):
    comfy.free_bytes = 1000
    with pytest.raises(ValueError, match="^Shorten the recording or lower min_resolution"):
        nodes["SonicLatentDecoder"].execute(Engine(), {}, data, True)
    assert comfy.progress == []


@pytest.mark.parametrize("wrong", [None, {"audio_tensor_list": []}, {"version": 2}])
def test_data_of_another_pack_is_refused(nodes, wrong):
    with pytest.raises(ValueError, match="^Use the SONIC_PreData node of this pack"):
        nodes["SonicInference"].execute(Engine(), wrong, 0, **SETTINGS)
    with pytest.raises(ValueError, match="^Use the SONIC_PreData node of this pack"):
        nodes["SonicLatentDecoder"].execute(Engine(), {}, wrong, True)


def test_a_model_of_another_pack_is_refused(nodes, data):
    with pytest.raises(ValueError, match=r"^Connect the Sonic Loader of this pack: the model given \(SimpleNamespace\)"):
        nodes["SonicInference"].execute(SimpleNamespace(process=None), data, 0, **SETTINGS)


def test_paste_back_fills_the_whole_portrait_in_an_even_size(nodes, data, monkeypatch, comfy):
    pipeline = ModuleType("sonic_nodes.pipeline")
    pipeline.paste_back = lambda frames, data, feather: np.broadcast_to(frames[:, :1, :1], (len(frames), *data["source"].shape)).copy()
    monkeypatch.setitem(sys.modules, "sonic_nodes.pipeline", pipeline)
    monkeypatch.setattr("sonic_nodes.pipeline", pipeline, raising=False)
    images = torch.arange(FRAMES)[:, None, None, None].expand(FRAMES, HEIGHT, WIDTH, 3) / 255
    whole, = nodes["SonicPasteBack"].execute(images, data, 0.1).args
    assert whole.shape == (FRAMES, 200, 300, 3)
    assert torch.equal((whole[:, 5, 5, 0] * 255).round(), torch.arange(FRAMES).float())
    assert comfy.progress[-1][:2] == (FRAMES, FRAMES)


def test_errors_reach_the_page_as_their_own_words(nodes, monkeypatch):
    pipeline = ModuleType("sonic_nodes.pipeline")

    def prepare(*args, **options):
        raise NoFaceError("Choose a picture that shows a face: none was found.")

    pipeline.prepare = prepare
    monkeypatch.setitem(sys.modules, "sonic_nodes.pipeline", pipeline)
    monkeypatch.setattr("sonic_nodes.pipeline", pipeline, raising=False)
    audio = {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}
    with pytest.raises(ValueError) as raised:
        nodes["SONIC_PreData"].execute(audio, torch.zeros(1, 8, 8, 3), 512, 0.0, 0.18)
    assert str(raised.value) == "Choose a picture that shows a face: none was found."
    assert raised.value.__cause__ is None and raised.value.__context__ is None


@pytest.mark.parametrize(("node", "values", "start"), [
    ("SonicLoadImage", {"image": "absent.png"}, "Choose another picture or upload it again: 'absent.png'"),
    ("SonicLoader", {"model": "sonic_unet.safetensors"}, "Put unet.pth at models/sonic/unet.pth (6.30 GB, from https://huggingface.co/"),
    ("SONICTLoader", {"sonic_unet": "none"}, "Choose Sonic's UNet (unet.pth) as sonic_unet"),
    ("SONICTLoader", {"sonic_unet": "u.pth"}, "Put unet.pth at models/sonic/unet.pth"),
    ("SONIC_PreData", {"crop": "head"}, "Set crop to one of face, off"),
    ("SONIC_PreData", {"on_mismatch": "stretch"}, "Set on_mismatch to one of use shorter, refuse"),
])
def test_wrong_values_are_caught_before_the_run(nodes, node, values, start):
    assert nodes[node].validate_inputs(**values).startswith(start)


def test_right_and_linked_values_pass(nodes, comfy):
    (comfy.input_folder / "a.png").write_bytes(b"x")
    assert nodes["SonicLoadImage"].validate_inputs("a.png") is True
    assert nodes["SonicLoader"].validate_inputs("built-in draft") is True
    assert nodes["SonicLoader"].validate_inputs(None) is True
    assert nodes["SONIC_PreData"].validate_inputs() is True
    assert nodes["SONIC_PreData"].validate_inputs(crop=None, on_mismatch=None) is True


def test_a_policy_that_cannot_be_kept_is_refused(nodes):
    with pytest.raises(ValueError, match="^Set policy to off"):
        nodes["SonicLoadImage"].execute("a.png", "strict")


def test_the_picture_is_read_again_only_when_the_file_changed(nodes, comfy):
    file = comfy.input_folder / "a.png"
    file.write_bytes(b"one")
    fingerprint = nodes["SonicLoadImage"].fingerprint_inputs
    first = fingerprint("a.png")
    assert fingerprint("a.png", "off") == first
    file.write_bytes(b"two")
    assert fingerprint("a.png") != first


def test_usage_errors_are_plain_too(nodes):
    parts = sys.modules["sonic_nodes.nodes.parts"]

    class Node:
        @classmethod
        @parts.plain_errors
        def execute(cls, value):
            if value:
                raise UsageError("Do this: that was wrong.")
            return value

    assert Node.execute(0) == 0
    with pytest.raises(ValueError, match="^Do this: that was wrong.$"):
        Node.execute(1)


def transparent_png(path):
    colours = np.full((8, 8, 4), (200, 10, 10, 255), np.uint8)
    colours[:4, :, 3] = 0
    Image.fromarray(colours).save(path)


def test_transparency_is_put_on_white_and_painted_masks_are_not(nodes, comfy):
    """The mask editor stores what was painted as transparency over the portrait: the face must still be there."""
    folder = comfy.input_folder / "clipspace"
    folder.mkdir()
    for path in (comfy.input_folder / "cut.png", folder / "painted.png"):
        transparent_png(path)
    cut, cut_mask = nodes["SonicLoadImage"].execute("cut.png").args
    painted, painted_mask = nodes["SonicLoadImage"].execute("clipspace/painted.png [input]").args
    assert torch.equal(cut_mask, painted_mask) and cut_mask[0, :4].min() == 1 and cut_mask[0, 4:].max() == 0
    assert cut[0, 0, 0].tolist() == [1, 1, 1]
    assert torch.allclose(painted[0, 0, 0], torch.tensor([200, 10, 10]) / 255)


def test_load_image_says_that_there_is_no_gate_and_keeps_showing_the_picture(nodes, comfy):
    transparent_png(comfy.input_folder / "a.png")
    shown = nodes["SonicLoadImage"].execute("a.png [input]", "off").ui
    assert shown["text"] == ("Quality gate off: this version does not judge the picture.",)
    assert shown["images"] == [{"filename": "a.png", "subfolder": "", "type": "input"}]
