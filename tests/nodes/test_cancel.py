"""Every node that works long: progress and the time left under its own id, and its end soon after Cancel. Sonic
Inference is tried below the nodes: tests/draft/test_voice.py has the draft engine, tests/engines/test_stopped.py the
other.
"""

import sys
import threading
import time

import pytest
import torch

from sonic_nodes.media.audio import read_sound
from tests.nodes.test_sample import SETTINGS

STOP_S = 0.5  # of processor time: other programs may have the processors
AFTER_S = 0.02

CALLS = {
    "SonicLoadImage": lambda node, v: node.execute("sonic_sample_portrait.jpg", "warn", 60.0),
    "SonicImageGate": lambda node, v: node.execute(v["noise"], "warn", 60.0),
    "SONIC_PreData": lambda node, v: node.execute(v["audio"], v["picture"], 512, 0.0, 0.18),
    "SonicLatentDecoder": lambda node, v: node.execute(v["model"], v["latent"], v["data"], True),
    "SONICSampler": lambda node, v: node.execute(v["model"], v["data"], 0, 25, 1.1, 25.0),
    "SonicPasteBack": lambda node, v: node.execute(v["frames"], v["data"], 0.1),
    "SonicLipSyncCalibrate": lambda node, v: node.execute(v["frames"], v["audio"], 25.0, "fix", 200.0),
    "SonicMotionSmooth": lambda node, v: node.execute(v["frames"], 0.5, True),
    "SonicBackground": lambda node, v: node.execute(v["picture"].expand(v["data"]["frames"], -1, -1, -1), "blur"),
}


@pytest.fixture
def values(nodes, extension, comfy, sample_dir):
    """What the template's nodes hand to each other, at 256 x 256, for the sample's 9.6 s."""
    extension.copy_samples(comfy.input_folder)
    sound = read_sound(sample_dir / "speech.wav")
    audio = {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.rate}
    picture = nodes["SonicLoadImage"].execute("sonic_sample_portrait.jpg", "off").args[0]
    data = nodes["SONIC_PreData"].execute(audio, picture, 256, 0.0, 0.18).args[0]
    (model,) = nodes["SonicLoader"].execute("built-in draft").args
    (latent,) = nodes["SonicInference"].execute(model, data, 0, **SETTINGS).args
    made = {"audio": audio, "picture": picture, "data": data, "model": model, "latent": latent}
    noise = torch.rand(3, 1024, 1024, 3, generator=torch.Generator().manual_seed(1))
    frames = noise[:1, :256, :256].expand(data["frames"], -1, -1, -1)
    model.interpolate = True
    comfy.progress.clear()
    comfy.texts.clear()
    return made | {"noise": noise, "frames": frames}


@pytest.mark.parametrize("name", CALLS)
def test_progress_and_the_time_left_have_the_nodes_id(nodes, values, comfy, monkeypatch, name):
    common = sys.modules["sonic_nodes.nodes.common"]
    for limit in ("MIN_ELAPSED_S", "TEXT_INTERVAL_S", "BAR_INTERVAL_S"):
        monkeypatch.setattr(common, limit, 0.0)
    CALLS[name](nodes[name], values)
    assert len(comfy.progress) >= 2 and comfy.progress[-1][0] == comfy.progress[-1][1]
    assert {node for node, _ in comfy.texts} == {"7"} and any(" left" in text for _, text in comfy.texts)


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock of another thread's work")
@pytest.mark.parametrize("name", CALLS)
def test_cancel_ends_the_work(nodes, values, comfy, name):
    clock, pressed = time.pthread_getcpuclockid(threading.get_ident()), []

    def press():
        pressed.append(time.clock_gettime(clock))
        comfy.cancelled = True

    timer = threading.Timer(AFTER_S, press)
    timer.start()
    try:
        with pytest.raises(Exception) as raised:
            CALLS[name](nodes[name], values)
    finally:
        timer.cancel()
    ended = time.clock_gettime(clock)
    assert type(raised.value).__name__ == "Cancelled"
    assert ended - pressed[0] < STOP_S
