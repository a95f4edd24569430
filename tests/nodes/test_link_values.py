"""Every input of every node, with every odd value that a link can bring: a result, or one plain sentence.

The calls are made from the schemas: a new node or input is tried too (a node needs an entry in `good_calls`).
"""

import re
import time

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonic_nodes.media.audio import read_sound
from tests.nodes.odd_values import SCALARS, odd_values
from tests.oracles.system import peak_memory

SECONDS, SIDE = 0.4, 96
MAX_CALL_S, MAX_GROWTH_KB = 3.0, 300_000
# Words of Python, NumPy and PyTorch that no sentence of this pack has.
RAW = re.compile(
    r"Traceback|aten::|expected scalar|has no attribute|not supported between|out of bounds|unsupported operand|"
    r"NoneType|Backend|object is not|<class|<object|positional argument|ZeroDivision|IntArrayRef|KeyError|"
    r"cannot convert|could not convert|truth value|invalid literal|argument must|dimension specified"
)
# What a sentence may call the input by, beside its name.
NOUNS = {
    "IMAGE": ("image", "picture", "frame", "face"),
    "MASK": ("mask",),
    "AUDIO": ("recording", "audio", "sound"),
    "LATENT": ("latent",),
    "SONIC_PREDATA": ("data", "picture", "recording"),
}
FILES = ("file", ".pth", "picture")


@pytest.fixture(scope="module")
def inputs(sample_dir):
    """A portrait, and speech, as ComfyUI's loaders give them."""
    from PIL import Image

    from sonic_nodes.nodes.comfy_types import image_from_uint8

    with Image.open(sample_dir / "portrait.jpg") as file:
        picture = torch.tensor(list(file.convert("RGB").resize((SIDE, SIDE)).tobytes()), dtype=torch.uint8)
    image = image_from_uint8(picture.reshape(1, SIDE, SIDE, 3).numpy())
    sound = read_sound(sample_dir / "speech.wav").trimmed(SECONDS)
    return image, {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.rate}


@pytest.fixture
def one_thread():
    """The networks are small: more threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def good_calls(nodes, inputs, comfy, extension):
    """{node: arguments} of calls that succeed, the values of a chain that has run."""
    extension.copy_samples(comfy.input_folder)
    (comfy.models / "sonic").mkdir(parents=True, exist_ok=True)
    image, audio = inputs
    prepare = {"audio": audio, "image": image, "min_resolution": 128, "duration": 0.0, "expand_ratio": 0.18}
    data = nodes["SONIC_PreData"].execute(**prepare).args[0]
    (model,) = nodes["SonicLoader"].execute(model="built-in draft").args
    sampling = {"seed": 1, "inference_steps": 5, "dynamic_scale": 1.0, "motion_scale": 1.0}
    (latent,) = nodes["SonicInference"].execute(model=model, data=data, **sampling).args
    clip = image[:, ::2, ::2].contiguous()
    (video,) = nodes["SonicCreateVideo"].execute(images=clip, model=model, latent=latent, data=data).args
    return {
        "SonicLoadImage": {"image": "sonic_sample_portrait.jpg", "policy": "off", "min_score": 60.0},
        "SonicImageGate": {"pixels": clip, "policy": "warn", "min_score": 60.0},
        "SONIC_PreData": {**prepare, "face_mask": torch.ones(1, SIDE, SIDE), "crop": "face"},
        "SonicLoader": {"model": "built-in draft"},
        "SonicInference": {"model": model, "data": data, **sampling},
        "SonicLatentDecoder": {"model": model, "latent": latent, "data": data, "interpolate": True},
        "SonicPasteBack": {"images": clip, "data": data, "feather": 0.1},
        "SonicLipSyncCalibrate": {"images": clip, "audio": audio, "fps": 25.0, "mode": "fix", "max_offset_ms": 200.0},
        "SonicMotionSmooth": {"images": clip, "strength": 0.5, "protect_mouth": True},
        "SonicBackground": {"images": clip, "background": "picture", "colour": "#00b140", "picture": clip},
        "SonicInspect": {"video": video},
        "SonicVisibleLabel": {
            "video": video,
            "text": "AI",
            "corner": "top-left",
            "size": 0.1,
            "always": True,
            "consent": "Ada agrees.",
        },
        "SonicBatch": {"folder": "sonic_sample_recordings", "index": 1},
        "SonicCreateVideo": {
            "images": clip,
            "model": model,
            "latent": latent,
            "data": data,
            "fps": 25.0,
            "audio": audio,
        },
        "SONICTLoader": {
            "model": None,
            "sonic_unet": "x",
            "ip_audio_scale": 1.0,
            "use_interframe": True,
            "dtype": "fp16",
        },
        "SONICSampler": {
            "model": model,
            "data_dict": data,
            "seed": 1,
            "inference_steps": 5,
            "dynamic_scale": 1.0,
            "fps": 25.0,
        },
    }


def ending(node, arguments: dict) -> str | None:
    """None for a result; else the message of the error, or how it differs from one plain sentence."""
    try:
        node.execute(**arguments)
    except ValueError as error:
        innermost = error.__traceback__
        while innermost.tb_next:
            innermost = innermost.tb_next
        if innermost.tb_frame.f_code.co_name != "wrapped" or error.__context__ is not None:
            return f"raw: {error!r}"
        return str(error)
    except Exception as error:
        return f"raw: {type(error).__name__}: {error}"[:300]
    return None


def fault_of(message: str | None, slot, usual: str | None) -> str | None:
    """What is wrong with a message about the value of an input. `usual` is how good values end."""
    if message == usual:
        return None
    if message is None:
        return "a result, unlike that of good values"
    if message.startswith("raw: ") or RAW.search(message):
        return message
    names = (slot.id, *NOUNS.get(slot.io_type, FILES if slot.lists_files else ()))
    if not (message[0].isupper() and message.endswith(".") and any(name in message.lower() for name in names)):
        return f"no sentence that names the input: {message}"
    return None if len(message) < 600 else f"too long: {message[:100]}"


NODES = (
    "SonicLoadImage",
    "SonicImageGate",
    "SONIC_PreData",
    "SonicLoader",
    "SonicInference",
    "SonicLatentDecoder",
    "SonicPasteBack",
    "SonicLipSyncCalibrate",
    "SonicMotionSmooth",
    "SonicBackground",
    "SonicInspect",
    "SonicVisibleLabel",
    "SonicBatch",
    "SonicCreateVideo",
    "SONICTLoader",
    "SONICSampler",
)


def odd_calls(node, good: dict):
    """(input, name of the value, arguments) of every call with one odd value."""
    for slot in node.define_schema().inputs:
        for name, value in odd_values(slot.io_type, good.get(slot.id)):
            yield slot, name, {**good, slot.id: value}


@pytest.mark.not_wine("Wine 8 damages its heap when libtorch throws some of its exceptions, and ends after a while")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("node_id", NODES)
def test_every_value_ends_in_a_result_or_one_sentence(nodes, good_calls, one_thread, node_id):
    node, good = nodes[node_id], good_calls[node_id]
    usual = ending(node, good)
    assert usual is None or (node_id == "SONICTLoader" and usual.startswith("Put unet.pth at"))
    peak, faults, slow = peak_memory(), [], []
    for slot, name, arguments in odd_calls(node, good):
        started = time.process_time()
        fault = fault_of(ending(node, arguments), slot, usual)
        faults += [f"{slot.id} {name}: {fault}"] if fault else []
        if time.process_time() - started > MAX_CALL_S:
            slow.append(f"{slot.id} {name}")
    grown = (peak_memory() - peak) // 1024
    assert not faults, "\n".join([f"{len(faults)} calls:", *faults])
    assert not slow and grown < MAX_GROWTH_KB, f"{slow}, {grown} kB more"


@pytest.mark.filterwarnings("ignore")
def test_every_node_and_input_is_tried(nodes, good_calls):
    counts = {name: [slot.id for slot, _, _ in odd_calls(node, good_calls[name])] for name, node in nodes.items()}
    assert set(NODES) == set(counts)
    for name, node in nodes.items():
        assert set(counts[name]) == {slot.id for slot in node.define_schema().inputs}
    assert sum(map(len, counts.values())) >= 4 * 809


def shaped(shape, dtype, fill):
    return np.full(shape, fill, dtype) if dtype else torch.full(shape, float(fill))


UNPRINTABLE = ("10**5000", "fraction", "hostile", "hostile number", "hostile text")  # Hypothesis prints what it draws
LEAVES = (
    st.sampled_from([name for name in SCALARS if name not in UNPRINTABLE]).map(lambda name: SCALARS[name])
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9)
    | st.builds(
        shaped,
        st.lists(st.integers(0, 9), max_size=4),
        st.sampled_from([np.float32, np.uint8, np.int64, np.float64, None]),
        st.sampled_from([0, 1, 200]),
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def changes(*keys: str):
    """Other values for some entries of a dict, and entries that it does not have."""
    return st.dictionaries(st.sampled_from(keys) | st.text(max_size=5), VALUES, max_size=3)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    node_id=st.sampled_from(["SonicInference", "SonicLatentDecoder", "SonicPasteBack", "SONICSampler"]),
    of_data=changes("version", "image", "source", "crop_xyxy", "face_xyxy", "mesh", "mask", "audio", "frames", "vae"),
    of_latent=changes("samples", "sonic"),
    of_poses=changes("engine", "codes", "frames", "settings"),
)
def test_any_value_in_data_and_latent(nodes, good_calls, one_thread, node_id, of_data, of_latent, of_poses):
    arguments = dict(good_calls[node_id])
    name = "data_dict" if "data_dict" in arguments else "data"
    arguments[name] = arguments[name] | of_data
    if "latent" in arguments:
        latent = arguments["latent"]
        arguments["latent"] = latent | {"sonic": latent["sonic"] | of_poses} | of_latent
    message = ending(nodes[node_id], arguments)
    assert message is None or not (message.startswith("raw: ") or RAW.search(message)), message


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES | changes("waveform", "sample_rate"), slot_of=st.data())
def test_any_value_at_any_input(nodes, good_calls, one_thread, value, slot_of):
    node_id = slot_of.draw(st.sampled_from(["SONIC_PreData", "SonicPasteBack", "SonicLipSyncCalibrate"]))
    name = slot_of.draw(st.sampled_from(sorted(good_calls[node_id])))
    message = ending(nodes[node_id], good_calls[node_id] | {name: value})
    assert message is None or not (message.startswith("raw: ") or RAW.search(message)), message
