"""The nodes' own work, with a test engine."""

import inspect
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_nodes.errors import NoFaceError, OutOfMemoryError, ResourceError, UsageError
from tests.nodes.stub_engine import FRAMES, HEIGHT, SETTINGS, WIDTH, Engine


def test_inference_passes_all_settings_and_lists_the_ignored_ones(nodes, data):
    out = nodes["SonicInference"].execute(Engine(), data, 7, **SETTINGS)
    assert out.args[0]["sonic"] == {"seed": 7, "settings": SETTINGS}
    assert out.ui["text"] == ("No effect on the test engine: inference_steps, audio_guidance.",)


def test_decoder_returns_all_frames_with_progress_and_previews(nodes, data, comfy):
    images, fps, video = nodes["SonicLatentDecoder"].execute(Engine(), {}, data, True).args
    assert video.frames.images is images
    assert images.shape == (FRAMES, HEIGHT, WIDTH, 3) and images.dtype == torch.float32 and fps == 25.0
    assert torch.equal((images[:, 0, 0, 0] * 255).round(), torch.arange(FRAMES).float())
    assert comfy.progress[0][:2] == (0, FRAMES) and comfy.progress[-1][:2] == (FRAMES, FRAMES)
    previews = [preview for _, _, preview in comfy.progress if preview]
    assert previews and previews[-1][0] == "JPEG" and previews[-1][1].size == (WIDTH, HEIGHT)


def test_decoder_without_interpolation_keeps_every_second_frame(nodes, data):
    images, fps, _ = nodes["SonicLatentDecoder"].execute(Engine(), {}, data, False).args
    assert torch.equal((images[:, 0, 0, 0] * 255).round(), torch.arange(0, FRAMES, 2).float()) and fps == 12.5


def test_cancel_stops_decoding_at_the_next_frame(nodes, data, comfy):
    engine = Engine()
    engine.after_frame = lambda frame: setattr(comfy, "cancelled", frame == 4)
    with pytest.raises(Exception) as raised:
        nodes["SonicLatentDecoder"].execute(engine, {}, data, True)
    assert type(raised.value).__name__ == "Cancelled" and engine.frames == 5


def test_the_page_is_updated_a_few_times_a_second(nodes, comfy, monkeypatch):
    common = sys.modules["sonic_nodes.nodes.common"]
    now = [100.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    progress = common.Progress("7", "a test")
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
    with pytest.raises(
        ValueError, match=r"^Connect the Sonic Loader of this pack: the model given \(SimpleNamespace\)"
    ):
        nodes["SonicInference"].execute(SimpleNamespace(process=None), data, 0, **SETTINGS)


def test_paste_back_fills_the_whole_portrait_in_an_even_size(nodes, data, monkeypatch, comfy):
    pipeline = ModuleType("sonic_nodes.pipeline")
    pipeline.PREDATA_VERSION = 1
    pipeline.paste_back = lambda frames, data, feather: np.broadcast_to(
        frames[:, :1, :1], (len(frames), *data["source"].shape)
    ).copy()
    monkeypatch.setitem(sys.modules, "sonic_nodes.pipeline", pipeline)
    monkeypatch.setattr("sonic_nodes.pipeline", pipeline, raising=False)
    images = torch.arange(FRAMES)[:, None, None, None].expand(FRAMES, HEIGHT, WIDTH, 3) / 255
    whole, _ = nodes["SonicPasteBack"].execute(images, data, 0.1).args
    assert whole.shape == (FRAMES, 200, 300, 3)
    assert torch.equal((whole[:, 5, 5, 0] * 255).round(), torch.arange(FRAMES).float())
    assert comfy.progress[-1][:2] == (FRAMES, FRAMES)


def test_errors_show_their_message_alone(nodes, monkeypatch):
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


@pytest.mark.parametrize(
    ("node", "values", "start"),
    [
        ("SonicLoadImage", {"image": "absent.png"}, "Choose another picture or upload it again: 'absent.png'"),
        (
            "SonicLoader",
            {"model": "sonic_unet.safetensors"},
            "Put unet.pth at models/sonic/unet.pth (6.30 GB, from https://huggingface.co/",
        ),
        ("SONICTLoader", {"sonic_unet": "none"}, "Choose Sonic's UNet (unet.pth) as sonic_unet"),
        ("SONICTLoader", {"sonic_unet": "u.pth"}, "Put unet.pth at models/sonic/unet.pth"),
        ("SONIC_PreData", {"crop": "head"}, "Set crop to one of face, off, wide"),
    ],
)
def test_wrong_values_are_refused_before_the_run(nodes, node, values, start):
    assert nodes[node].validate_inputs(**values).startswith(start)


def test_valid_and_linked_values_pass(nodes, comfy):
    (comfy.input_folder / "a.png").write_bytes(b"x")
    assert nodes["SonicLoadImage"].validate_inputs("a.png") is True
    assert nodes["SonicLoader"].validate_inputs("built-in draft") is True
    assert nodes["SonicLoader"].validate_inputs(None) is True
    assert nodes["SONIC_PreData"].validate_inputs() is True
    assert nodes["SONIC_PreData"].validate_inputs(crop=None) is True


def test_an_error_before_the_run_is_shown_once(nodes):
    """ComfyUI repeats the answer of validate_inputs for each input that its signature names."""
    for name, node in nodes.items():
        if hasattr(node, "validate_inputs"):
            named = inspect.signature(node.validate_inputs).parameters.values()
            assert len(named) == 1 and all(one.kind is one.POSITIONAL_OR_KEYWORD for one in named), name


def test_a_wrong_choice_that_is_not_checked_before_the_run_is_refused_in_it(nodes):
    audio = {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}
    with pytest.raises(ValueError, match="^Set on_mismatch to one of use shorter, refuse"):
        nodes["SONIC_PreData"].execute(audio, torch.zeros(1, 8, 8, 3), 512, 0.0, 0.18, on_mismatch="stretch")


def test_the_fingerprint_changes_only_with_the_file(nodes, comfy):
    file = comfy.input_folder / "a.png"
    file.write_bytes(b"one")
    fingerprint = nodes["SonicLoadImage"].fingerprint_inputs
    first = fingerprint("a.png")
    assert fingerprint("a.png", "off") == first
    file.write_bytes(b"two")
    assert fingerprint("a.png") != first


def test_usage_errors_become_plain_value_errors(nodes):
    common = sys.modules["sonic_nodes.nodes.common"]

    class Node:
        @classmethod
        def define_schema(cls):
            return SimpleNamespace(inputs=[])

        @classmethod
        @common.plain_errors
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


def test_transparency_becomes_white_except_under_painted_masks(nodes, comfy):
    """The mask editor stores painted areas as transparency: the face below must stay visible."""
    folder = comfy.input_folder / "clipspace"
    folder.mkdir()
    for path in (comfy.input_folder / "cut.png", folder / "painted.png"):
        transparent_png(path)
    cut, cut_mask = nodes["SonicLoadImage"].execute("cut.png").args[:2]
    painted, painted_mask = nodes["SonicLoadImage"].execute("clipspace/painted.png [input]").args[:2]
    assert torch.equal(cut_mask, painted_mask) and cut_mask[0, :4].min() == 1 and cut_mask[0, 4:].max() == 0
    assert cut[0, 0, 0].tolist() == [1, 1, 1]
    assert torch.allclose(painted[0, 0, 0], torch.tensor([200, 10, 10]) / 255)


def test_the_time_left_is_shown_under_the_node(nodes, comfy, monkeypatch):
    common = sys.modules["sonic_nodes.nodes.common"]
    now = [100.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    progress = common.Progress("7", "Sonic Inference")
    progress.set_headline("the plan")
    for done in range(201):
        progress(done, 200)
        now[0] += 1.5
    assert comfy.texts[0] == ("7", "the plan") and all(node == "7" for node, _ in comfy.texts)
    assert comfy.texts[1] == ("7", "the plan\n1 %, 5 min left")
    assert comfy.texts[-2][1].endswith("99 %, 2 s left") and comfy.texts[-1] == ("7", "the plan\ndone in 5 min")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3500, "58 min"), (3700, "1 h 2 min"), (36000, "10 h 0 min")],
)
def test_durations_are_rounded(nodes, seconds, text):
    assert sys.modules["sonic_nodes.nodes.common"].duration_text(seconds) == text


class PlannedEngine(Engine):
    """An engine that has a plan and weights."""

    result = SimpleNamespace(
        title="fits, about 4 min",
        text=["fits, about 4 min", "stage ..."],
        notes=("a note",),
        stages=[
            SimpleNamespace(weights=100, held=1, results=20, margin=3),
            SimpleNamespace(weights=900, held=5, results=2, margin=3),
        ],
        others=(SimpleNamespace(weights=900, peak=912),),
    )

    def __init__(self):
        self.models = SimpleNamespace(work_bytes=0)

    def plan(self, data, settings=None):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_the_plan_is_shown_before_the_work_and_sets_the_work_memory(nodes, data, comfy, caplog):
    engine, order = PlannedEngine(), []
    comfy.update = lambda *args: order.append("work")
    comfy.texts = order
    with caplog.at_level("INFO"):
        out = nodes["SonicInference"].execute(engine, data, 7, **SETTINGS)
    assert order[0] == ("7", "fits, about 4 min") and order[1] == "work"
    assert out.ui["text"][0].startswith("fits, about 4 min\na note\n") and "stage ..." in caplog.text
    assert (engine.models.work_bytes, engine.models.other_work_bytes) == (24, 12)


def test_a_run_that_does_not_fit_is_refused_before_the_work(nodes, data, comfy):
    engine = PlannedEngine()
    engine.result = ResourceError(
        "Set min_resolution to 512 (5 GB), or set duration to 8 s, or free 2 GB more. 1024x1024: does not fit."
    )
    with pytest.raises(ValueError, match="^Set min_resolution to 512"):
        nodes["SonicInference"].execute(engine, data, 7, **SETTINGS)
    assert comfy.progress == []


def test_frames_that_do_not_fit_are_reported_in_advance(nodes, data, comfy):
    comfy.free_bytes = 1000
    out = nodes["SonicInference"].execute(PlannedEngine(), data, 7, **SETTINGS)
    assert "The decoder would stop with the memory that is free now. Shorten the recording" in out.ui["text"][0]
    assert "set output of the Sonic Latent Decoder to 'video'" in out.ui["text"][0]


def test_running_out_of_memory_raises_comfyuis_own_error(nodes, data):
    engine = Engine()

    def infer(*args):
        raise OutOfMemoryError("Close other programs: memory ran out while sampling.")

    engine.infer = infer
    with pytest.raises(torch.OutOfMemoryError, match="^Close other programs") as raised:
        nodes["SonicInference"].execute(engine, data, 7, **SETTINGS)
    assert raised.value.__context__ is None


def test_cancel_stops_the_planning(nodes, data, comfy):
    engine = PlannedEngine()
    comfy.cancelled = True
    with pytest.raises(Exception) as raised:
        nodes["SonicInference"].execute(engine, data, 7, **SETTINGS)
    assert type(raised.value).__name__ == "Cancelled"


@pytest.mark.parametrize(
    ("fps", "frames", "note"),
    [
        (25.0, 20, "No effect on the test engine"),
        (30.0, 24, "The model makes 25 frames per second; for 30 some were repeated."),
        (5.0, 4, "some were dropped."),
    ],
)
def test_sonic_sampler_returns_the_requested_frame_rate(nodes, data, fps, frames, note):
    out = nodes["SONICSampler"].execute(Engine(), data, 7, 25, 1.2, fps)
    images, rate, _ = out.args
    assert rate == fps and len(images) == frames
    assert note in out.ui["text"][0] and ("The model makes" in out.ui["text"][0]) == (fps != 25)


def test_sonic_sampler_uses_motion_scale_1(nodes, data):
    engine, seen = Engine(), []
    engine.infer = lambda *args: seen.append(args) or Engine.infer(engine, *args)
    nodes["SONICSampler"].execute(engine, data, 7, 30, 1.2, 25.0)
    assert seen[0][1:3] == (7, {"inference_steps": 30, "dynamic_scale": 1.2, "motion_scale": 1.0})


def test_sonic_sampler_without_interframe_returns_the_true_rate(nodes, data):
    engine = Engine()
    engine.interpolate = False
    out = nodes["SONICSampler"].execute(engine, data, 7, 30, 1.2, 25.0)
    assert len(out.args[0]) == 10 and out.args[1] == 12.5
    assert "use_interframe is off, so there are 12.5 frames per second, not 25." in out.ui["text"][0]
