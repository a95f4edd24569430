"""Links of other nodes that work: what they bring is converted as ComfyUI converts a widget's value, or let through."""

import sys
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sonic_nodes.errors import InputError
from tests.nodes.odd_values import SCALARS, odd_networks
from tests.nodes.stub_engine import SETTINGS, Engine
from tests.oracles.system import WINDOWS


@pytest.fixture
def clip():
    return torch.rand(3, 32, 32, 3), {"waveform": torch.zeros(1, 2, 16000), "sample_rate": 16000}


@pytest.fixture
def seen(nodes, data):
    """seen(**changes): what Sonic Inference hands to the engine, seed included."""

    def run(**changes):
        engine, given = Engine(), {}
        engine.infer = lambda data, seed, settings, progress: given.update(settings, seed=seed) or {"sonic": {}}
        nodes["SonicInference"].execute(model=engine, data=data, **{"seed": 0, **SETTINGS, **changes})
        return given

    return run


@pytest.mark.parametrize("seed", [0, 2**50, 2**63 - 1, 2**64 - 1, np.uint64(2**64 - 1), np.int64(7)])
@pytest.mark.parametrize("node", ["SonicInference", "SONICSampler"])
def test_seeds_of_other_nodes_arrive_exactly(nodes, data, seen, node, seed):
    """A primitive makes up to 2^63 - 1, other packs up to 2^64 - 1; the widget of SONICSampler ends at 2^31 - 1."""
    engine, found = Engine(), []
    if node == "SonicInference":
        found.append(seen(seed=seed)["seed"])
    else:
        engine.infer = lambda *given: found.append(given[1]) or Engine.infer(engine, *given)
        nodes[node].execute(engine, data, seed, 25, 1.0, 25.0)
    assert found == [int(seed)] and type(found[0]) is int


@pytest.mark.parametrize(
    ("name", "value", "arrives"),
    [
        ("dynamic_scale", 1, 1.0),
        ("dynamic_scale", np.float32(1.5), 1.5),
        ("dynamic_scale", "1.25", 1.25),
        ("motion_scale", Fraction(3, 2), 1.5),
        ("motion_scale", Decimal("1.5"), 1.5),
        ("audio_guidance", 7, 7.0),
        ("inference_steps", 30.0, 30),
        ("inference_steps", "30", 30),
        ("inference_steps", np.int32(30), 30),
        ("inference_steps", 1024, 1024),  # the widget ends at 100, the settings at 1024
    ],
)
def test_numbers_are_converted_as_in_a_widget(seen, name, value, arrives):
    found = seen(**{name: value})[name]
    assert found == arrives and type(found) is type(arrives)


@pytest.mark.parametrize("value", [7.5, "7.5", True, np.bool_(True), torch.tensor(7), [7]])
def test_what_is_no_whole_number_is_refused_for_one(seen, value):
    with pytest.raises(ValueError, match="^Set inference_steps to a whole number between 1 and 1024: it is "):
        seen(inference_steps=value)


@pytest.mark.parametrize("fps", [24, 29.97, 23.976, "25", np.float64(59.94), Fraction(30000, 1001)])
def test_the_rate_of_a_video_is_taken_as_its_reader_gives_it(nodes, clip, fps):
    images, audio = clip
    out = nodes["SonicLipSyncCalibrate"].execute(images, audio, fps, "measure", 200)
    assert out.args[0] is images and out.args[1] is audio


@pytest.mark.parametrize("value", [True, 1, np.bool_(True), np.int64(1)])
def test_truth_values_of_other_nodes(nodes, data, value):
    images, fps, _ = nodes["SonicLatentDecoder"].execute(Engine(), {}, data, value).args
    assert len(images) == data["frames"] and fps == 25.0


def test_an_optional_input_without_a_value_keeps_its_default(nodes, comfy):
    """A node that was muted, or one without a result, brings None."""
    out = nodes["SonicLoader"].execute(model="built-in draft", checkpoint=None, precision=None, audio_strength=None)
    assert out.args[0].name == "draft"
    with pytest.raises(ValueError, match="^Put x.pth|^Put unet.pth"):
        nodes["SonicLoader"].execute(model="x.pth", checkpoint=None, precision=None, audio_strength=None)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_batches_of_any_length(nodes, clip, frames):
    images = clip[0][:1].expand(frames, -1, -1, -1)
    assert nodes["SonicMotionSmooth"].execute(images, 0.5, True).args[0].shape == images.shape
    assert nodes["SonicImageGate"].execute(images, "off", 60).args[5].shape == images.shape


class LazyAudio(Mapping):
    """As VideoHelperSuite gives sound: the file is read at the first access, and may be unreadable."""

    def __init__(self, entries):
        self.entries = entries

    def __getitem__(self, key):
        if self.entries is None:
            raise RuntimeError("Failed to extract audio from /x.mp4:\nffmpeg version n7")
        return self.entries[key]

    def __iter__(self):
        return iter(self.entries or ())

    def __len__(self):
        return len(self.entries or ())


def test_sound_that_is_read_on_access(nodes, clip):
    images, audio = clip
    good, bad = LazyAudio(audio), LazyAudio(None)
    assert nodes["SonicLipSyncCalibrate"].execute(images, good, 25.0, "fix", 200.0).args[1] is good
    with pytest.raises(ValueError, match="^Check the node connected to audio: its recording cannot be read") as raised:
        nodes["SONIC_PreData"].execute(bad, images, 512, 0.0, 0.18)
    assert "\n" not in str(raised.value)


def test_a_video_without_sound_says_so(nodes, clip):
    """GetVideoComponents brings None for the sound of a silent video."""
    with pytest.raises(ValueError, match="^Connect a recording of speech to audio: its link brings no value"):
        nodes["SONIC_PreData"].execute(None, clip[0], 512, 0.0, 0.18)


@pytest.mark.parametrize("node", ["SonicLoadImage", "SonicLoader", "SONICTLoader"])
def test_a_linked_file_name_is_not_judged_before_the_run(nodes, node):
    cls, name = nodes[node], {"SonicLoader": "model", "SONICTLoader": "sonic_unet"}.get(node, "image")
    assert cls.validate_inputs(**{name: None}) is True
    first, second = (cls.fingerprint_inputs(**{name: None}) for _ in range(2))
    assert first != second, "ComfyUI would keep the result of another file"


HALF = [] if WINDOWS else ["\ud800"]  # half a character, which Windows can have in a name


@pytest.mark.parametrize("value", [5, 1.5, True, ["a"], {"a": 1}, "", "a\0b", *HALF, "x" * 5000])
def test_a_constant_of_an_api_file_that_is_no_file_name(nodes, value):
    for node, name in (("SonicLoadImage", "image"), ("SonicLoader", "model"), ("SONICTLoader", "sonic_unet")):
        assert nodes[node].validate_inputs(**{name: value}).startswith("Choose ")


@pytest.mark.parametrize("value", [5, True, [], {}, "odd"])
def test_a_constant_of_an_api_file_that_is_no_choice(nodes, value):
    assert nodes["SONIC_PreData"].validate_inputs(crop=value).startswith("Set crop to one of face, off, wide: it is ")
    assert nodes["SonicImageGate"].validate_inputs(policy=value).startswith("Set policy to one of off, warn")
    with pytest.raises(ValueError, match="^Set precision to one of auto"):
        nodes["SonicLoader"].execute("built-in draft", precision=value)


def test_a_missing_required_input_is_asked_for(nodes, data):
    with pytest.raises(ValueError, match="^Set feather between 0 and 0.5: its link brings no value"):
        nodes["SonicPasteBack"].execute(images=torch.rand(1, 8, 8, 3), data=data)


def test_the_schema_is_built_once(nodes, monkeypatch):
    """It lists the files in ComfyUI's folders."""
    calls, loader = [], nodes["SonicLoader"]
    define = loader.define_schema
    monkeypatch.setattr(loader, "define_schema", lambda: calls.append(1) or define())
    for _ in range(3):
        loader.execute(model="built-in draft")
    assert len(calls) == 1


def test_the_class_that_comfyui_clones_for_each_run_is_used(nodes):
    """Hidden inputs belong to the clone."""
    clone = type("Clone", (nodes["SonicMotionSmooth"],), {"hidden": SimpleNamespace(unique_id="9")})
    assert clone.execute(torch.rand(1, 16, 16, 3), 0.5, True).args[0].shape == (1, 16, 16, 3)


@pytest.mark.parametrize("network", ["vae", "clip_vision"])
def test_networks_of_another_make_inside_the_data(nodes, network):
    """Those that SONIC_PreData found to be Stable Video Diffusion's travel in the data."""
    module = sys.modules["sonic_nodes.nodes.comfy_models"]
    for name, value in [*SCALARS.items(), *odd_networks()]:
        if value is not None:
            with pytest.raises(InputError, match=f"^Connect the {network} output of Image Only Checkpoint Loader"):
                module.with_comfy_models(SimpleNamespace(models=None), {network: value})
                pytest.fail(name)
