"""Paste Back onto the frames of another clip: which frames, sound and label the result has, and that the template's two
speakers take turns."""

import json
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sonic_nodes import face
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.provenance import metadata
from tests.nodes.fake_video import ExecutionBlocker, VideoFromComponents
from tests.nodes.stub_engine import FRAMES, Engine
from tests.nodes.test_interface import ROOT
from tests.nodes.test_video import TONE

CROP = (10, 20, 138, 84)  # at the size of the frames, so that nothing is resized
LEFT, RIGHT = 0, 1


@pytest.fixture
def data(data):
    return data | {"crop_xyxy": CROP}


@pytest.fixture
def streams(nodes):
    return sys.modules["sonic_nodes.nodes.frame_streams"]


@pytest.fixture
def above(nodes, streams, data):
    """The crop's clip as a VIDEO: all pixels of frame k have level k."""
    frames = streams.DecodedFrames(Engine(), {}, data, True, Fraction(25))
    return sys.modules["sonic_nodes.nodes.video"].SonicVideo(frames, TONE, metadata("draft", 7))


def clip_below(count, fps=25, audio=None):
    """VIDEO of another node, 300 x 200: all pixels of frame k have level 100 + k."""
    levels = torch.arange(100, 100 + count).float().reshape(-1, 1, 1, 1) / 255
    images = levels.expand(count, 200, 300, 3)
    return VideoFromComponents(SimpleNamespace(images=images, audio=audio, frame_rate=Fraction(fps)))


def levels_of(images):
    """(in the crop, outside it) of each frame."""
    levels = (images * 255).round()
    return levels[:, 40, 60, 0].tolist(), levels[:, 150, 250, 0].tolist()


@pytest.mark.parametrize("count", [12, FRAMES, 33])
def test_the_shorter_clip_holds_its_last_frame(nodes, data, above, count):
    out = nodes["SonicPasteBack"].execute(above, data, 0.0, clip_below(count))
    blocked, video = out.args
    inside, outside = levels_of(video.get_components().images)
    longer = max(count, FRAMES)
    assert inside == [min(i, FRAMES - 1) for i in range(longer)]
    assert outside == [100 + min(i, count - 1) for i in range(longer)]
    assert type(blocked) is ExecutionBlocker and video.get_frame_count() == longer
    shorter = {12: "onto has 0.48 s", 33: "images has 0.80 s"}.get(count)
    said = out.ui.get("text", ("",))[0]
    assert said.startswith(f"{shorter} and holds its last frame until {longer / 25:.2f} s.") if shorter else said == ""


@pytest.mark.parametrize(("fps", "count"), [(50, 40), (Fraction(25, 2), 10), (30, 24)])
def test_another_rate_is_brought_to_that_of_the_crop(nodes, data, above, fps, count):
    video = nodes["SonicPasteBack"].execute(above, data, 0.0, clip_below(count, fps)).args[1]
    _, outside = levels_of(video.get_components().images)
    assert video.get_frame_rate() == 25
    assert outside == [100 + min(count - 1, int(Fraction(2 * i + 1, 50) * fps)) for i in range(FRAMES)]


def test_images_onto_images(nodes, data, above):
    images, below = above.get_components().images, clip_below(FRAMES).get_components().images
    whole, blocked = nodes["SonicPasteBack"].execute(images, data, 0.1, below).args
    by_hand = face.paste_onto((images * 255).round().byte().numpy(), (below * 255).round().byte().numpy(), CROP, 0.1)
    assert np.array_equal((whole * 255).round().byte().numpy(), by_hand) and type(blocked) is ExecutionBlocker


def test_sound_and_label_of_both(nodes, data, above, monkeypatch):
    other = {"waveform": TONE["waveform"].flip(-1) / 2, "sample_rate": 16000}
    video = nodes["SonicPasteBack"].execute(above, data, 0.1, clip_below(FRAMES, audio=other)).args[1]
    assert torch.allclose(video.audio["waveform"], TONE["waveform"] + other["waveform"], atol=1e-6)
    assert video.tags == above.tags
    silent = nodes["SonicPasteBack"].execute(above, data, 0.1, clip_below(FRAMES)).args[1]
    assert silent.audio is TONE


def test_nothing_is_made_before_it_is_saved(nodes, data, streams):
    engine = Engine()
    frames = streams.DecodedFrames(engine, {}, data, True, Fraction(25))
    video = sys.modules["sonic_nodes.nodes.video"].SonicVideo(frames, None, {})
    first = nodes["SonicPasteBack"].execute(video, data, 0.1).args[1]
    second = nodes["SonicPasteBack"].execute(video, data, 0.1, first).args[1]
    assert engine.frames == 0
    made = second.frames.chunks(lambda *_: None)
    next(made)
    assert 0 < engine.frames <= 2 * 8, "one chunk of each clip"
    made.close()


@pytest.mark.parametrize("size", [(200, 302), (100, 150), (64, 128)])
def test_a_clip_of_another_picture_is_refused_before_the_work(nodes, data, above, size):
    with pytest.raises(ValueError, match=f"^Connect frames of the same picture to onto, .* {size[1]}x{size[0]}"):
        nodes["SonicPasteBack"].execute(above, data, 0.1, torch.zeros(3, *size, 3))


def test_frames_of_a_wide_crop_are_cut_out_of_the_whole(nodes, data, above):
    pasted = nodes["SonicPasteBack"].execute(above, data, 0.0).args[1]
    wide = data | {"paste_back": True}
    video = nodes["SonicPasteBack"].execute(pasted, wide, 0.0, clip_below(FRAMES)).args[1]
    inside, outside = levels_of(video.get_components().images)
    assert inside == list(range(FRAMES)) and outside == [100 + i for i in range(FRAMES)]
    with pytest.raises(ValueError, match="^Connect the frames that were made from this data"):
        nodes["SonicPasteBack"].execute(torch.zeros(3, 64, 128, 3), wide, 0.1)


# The template


def mouth_opening(frame, mesh_before):
    """(distance of the inner lips relative to the face's height, mesh) of a face that is followed."""
    found = face.track_face(frame, mesh_before)
    upper, lower = (found.mesh[face.LANDMARKS[name], :2] for name in ("lip_upper", "lip_lower"))
    return float(np.linalg.norm(upper - lower) / (found.hull_xyxy[3] - found.hull_xyxy[1])), found.mesh


@pytest.fixture
def dialogue(nodes, extension, comfy, sample_dir):
    """The frames of docs/api/two_speakers.json at 128 pixels, and the data of both."""
    extension.copy_samples(comfy.input_folder)
    graph, done = json.loads((ROOT / "docs/api/two_speakers.json").read_text("utf-8")), {}

    def output(node, slot):
        if node not in done:
            entry = graph[node]
            values = {k: output(*v) if isinstance(v, list) else v for k, v in entry["inputs"].items()}
            if entry["class_type"] == "LoadAudio":
                sound = read_sound(comfy.input_folder / values["audio"])
                done[node] = ({"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.rate},)
            else:
                values |= {"min_resolution": 128} if entry["class_type"] == "SONIC_PreData" else {}
                done[node] = nodes[entry["class_type"]].execute(**values).args
        return done[node][slot]

    video = output(*graph["8"]["inputs"]["video"])
    return video, [output(node, 0) for node in ("3", "13")]


def test_each_speaker_rests_while_the_other_speaks(dialogue, sample_dir):
    """The mouths' openings in the template's video: whoever is silent moves less than a tenth of the speaker."""
    video, both = dialogue
    assert both[LEFT]["face_xyxy"][2] < both[RIGHT]["face_xyxy"][0]
    spoken = read_sound(sample_dir / "speech.wav")
    assert video.get_frame_count() == round(25 * spoken.duration_s)
    assert np.abs(video.audio["waveform"][0].numpy() - spoken.waveform).max() < 1e-6, "the sum is the whole speech"
    meshes = [face.find_faces(both[LEFT]["source"])[i].mesh for i in (0, 1)]
    meshes.sort(key=lambda mesh: mesh[:, 0].mean())
    openings = np.zeros((2, video.get_frame_count()))
    frames = (frame for chunk in video.frames.chunks(lambda *_: None) for frame in chunk)
    for i, frame in enumerate(frames):
        for who in (LEFT, RIGHT):
            openings[who, i], meshes[who] = mouth_opening(frame, meshes[who])
    change = round(25 * 4.38)
    early, late = slice(0, change - 10), slice(change + 15, None)
    for who, speaks, rests in ((LEFT, early, late), (RIGHT, late, early)):
        moved, still = np.std(openings[who, speaks]), np.std(openings[who, rests])
        print("opening, standard deviation while speaking and resting:", moved, still)
        assert moved > 0.01 and still < 0.1 * moved, (who, moved, still)
