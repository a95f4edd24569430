"""The template `fast` and `sonic render` with the same seed and settings: the same frames, bit for bit."""

import json
import shutil
import wave

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_nodes.commands.cli import main
from tests.nodes.test_help_pages import ROOT

SECONDS, SIZE, STEPS, SEED = 1, 128, 3, 2**40 + 7


@pytest.fixture
def speech(comfy, sample_dir):
    """The first second of the sample, in ComfyUI's input folder as Load Audio reads it."""
    path = comfy.input_folder / "speech.wav"
    with wave.open(str(sample_dir / "speech.wav")) as sample, wave.open(str(path), "wb") as cut:
        cut.setparams(sample.getparams())
        cut.writeframes(sample.readframes(SECONDS * sample.getframerate()))
    return path


def load_audio(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        return {"waveform": torch.from_numpy(samples)[None, None], "sample_rate": file.getframerate()}


def result_of(graph, number, nodes, sound):
    """The outputs of a node, after those that it is linked to."""
    node = graph[number]
    if node["class_type"] == "LoadAudio":
        return (sound,)
    values = {
        name: result_of(graph, value[0], nodes, sound)[value[1]] if isinstance(value, list) else value
        for name, value in node["inputs"].items()
    }
    return nodes[node["class_type"]].execute(**values).args


def frames_of_template(nodes, comfy, sample_dir, speech):
    shutil.copy(sample_dir / "portrait.jpg", comfy.input_folder / "sonic_sample_portrait.jpg")
    graph = json.loads((ROOT / "docs/api/fast.json").read_text("utf-8"))
    number = {node["class_type"]: name for name, node in graph.items()}
    graph[number["SONIC_PreData"]]["inputs"]["min_resolution"] = SIZE
    graph[number["SonicInference"]]["inputs"].update(inference_steps=STEPS, seed=SEED)
    graph[number["SonicLatentDecoder"]]["inputs"]["output"] = "images"
    images = result_of(graph, number["SonicLatentDecoder"], nodes, load_audio(speech))[0]
    return (images * 255).round().to(torch.uint8).numpy()


def frames_of_command(small_models, sample_dir, speech, folder, seed):
    """Those that the encoder gets with --lossless: no watermark is drawn into them."""
    settings = ["--engine", "sonic", "--models", small_models, "--min-resolution", SIZE, "--steps", STEPS]
    settings += ["--speed", "fast", "--dynamic-scale", 1.1, "--motion-scale", 1.05, "--seed", seed, "--lossless"]
    outputs = ["-o", folder / "video.mp4", "--frames", folder / "frames"]
    folder.mkdir()
    assert main([str(part) for part in ("render", sample_dir / "portrait.jpg", speech, *outputs, *settings)]) == 0
    return np.stack([np.asarray(Image.open(path)) for path in sorted((folder / "frames").glob("*.png"))])


def test_the_template_makes_the_frames_of_the_command(nodes, comfy, small_models, sample_dir, speech, tmp_path):
    shutil.copytree(small_models, comfy.models)
    made = frames_of_template(nodes, comfy, sample_dir, speech)
    wanted = frames_of_command(small_models, sample_dir, speech, tmp_path / "same", SEED)
    assert made.shape == wanted.shape == (25 * SECONDS, SIZE, SIZE, 3)
    assert np.array_equal(made, wanted)
    other = frames_of_command(small_models, sample_dir, speech, tmp_path / "other", SEED + 1)
    assert not np.array_equal(made, other)
