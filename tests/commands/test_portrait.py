"""`sonic render` says on stderr what is wrong with the face, and renders all the same."""

import wave

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.commands.cli import main
from sonic_nodes.face import find_faces
from tests.oracles.covers import covered


@pytest.fixture(scope="module")
def speech(tmp_path_factory, sample_dir):
    path = tmp_path_factory.mktemp("speech") / "short.wav"
    with wave.open(str(sample_dir / "speech.wav")) as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getframerate() // 5))
    return path


@pytest.fixture(scope="module")
def picture(sample_dir):
    return np.array(Image.open(sample_dir / "portrait.jpg").convert("RGB").resize((320, 375)))


def rendered(picture, speech, folder, capsys):
    """What `sonic render` says about a picture."""
    Image.fromarray(np.ascontiguousarray(picture)).save(folder / "in.png")
    out = folder / "out.mp4"
    assert main(["render", str(folder / "in.png"), str(speech), "-o", str(out), "--min-resolution", "128"]) == 0
    assert out.stat().st_size > 0
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("sonic: ")]


def test_a_good_portrait_needs_no_word(picture, speech, tmp_path, capsys):
    assert rendered(picture, speech, tmp_path, capsys) == []


def test_a_turned_face_behind_a_scarf_gets_a_sentence_each(picture, speech, tmp_path, capsys):
    hidden = covered(picture, find_faces(picture)[0].mesh, "black mask", 5)
    said = rendered(np.rot90(hidden, 3), speech, tmp_path, capsys)
    assert len(said) == 2 and "Turn the picture a quarter to the left" in said[0] and "shows the mouth" in said[1]


def test_a_dark_face_before_a_bright_background(picture, speech, tmp_path, capsys):
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    x0, y0, x1, y1 = find_faces(picture)[0].hull_xyxy
    head = ((columns - (x0 + x1) / 2) / (x1 - x0)) ** 2 + ((rows - (y0 + y1) / 2) / (y1 - y0)) ** 2 < 0.45
    said = rendered(np.where(head[..., None], np.uint8(picture * 0.15), 235).astype(np.uint8), speech, tmp_path, capsys)
    assert len(said) == 1 and said[0].startswith("sonic: Choose a picture with more light on the face")
