"""What Load Image, Image Quality Gate and SONIC_PreData say about a face that is turned, dark, covered or cut out."""

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_nodes.face import find_faces
from sonic_nodes.nodes.comfy_types import image_from_uint8
from tests.oracles.covers import covered


@pytest.fixture(scope="module")
def picture(sample_dir):
    return np.array(Image.open(sample_dir / "portrait.jpg").convert("RGB").resize((384, 450)))


@pytest.fixture(scope="module")
def faults(picture):
    """{words of the report: the picture that has the fault}"""
    mesh = find_faces(picture)[0].mesh
    return {
        "a quarter to the right": np.ascontiguousarray(np.rot90(picture)),
        "a quarter to the left": np.ascontiguousarray(np.rot90(picture, -1)),
        "by half": np.ascontiguousarray(np.rot90(picture, 2)),
        "more light on the face": np.uint8(picture * 0.14),
        "shows the mouth": covered(picture, mesh, "black mask", 2),
        "shows the whole face": np.ascontiguousarray(picture[:, : int(mesh[1, 0])]),
    }


def text_of(out):
    return "\n".join(out.ui["text"]) if out.ui and "text" in out.ui else ""


def test_the_gate_reports_each_fault_and_passes_the_image_on(nodes, comfy, picture, faults):
    for words, image in {"": picture, **faults}.items():
        batch = image_from_uint8(image[None])
        out = nodes["SonicImageGate"].execute(batch)  # policy warn, the default
        assert out.args[0] is batch
        found = [other for other in faults if other in out.args[4]]
        assert found == ([words] if words else []) and all(other in text_of(out) for other in found)


def test_load_image_reports_a_fault(nodes, comfy, faults):
    Image.fromarray(faults["by half"]).save(comfy.input_folder / "turned.png")
    assert "by half" in text_of(nodes["SonicLoadImage"].execute("turned.png"))


def prepared(nodes, image, **options):
    audio = {"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000}
    return nodes["SONIC_PreData"].execute(audio, image_from_uint8(image[None]), 128, 0.0, 0.18, **options)


def test_predata_notes_each_fault_and_goes_on(nodes, comfy, picture, faults):
    for words, image in {"": picture, **faults}.items():
        out = prepared(nodes, image)
        assert [other for other in faults if other in text_of(out)] == ([words] if words else [])
        assert out.args[0]["image"].shape[2] == 3


def test_predata_is_silent_about_a_painted_face_that_is_none(nodes, comfy, faults):
    grain = np.random.default_rng(1).integers(0, 40, (200, 160, 3), np.uint8)
    mask = torch.zeros(1, 200, 160)
    mask[:, 40:160, 30:130] = 1
    text = text_of(prepared(nodes, grain, face_mask=mask))
    assert "mouth may sit a little off" in text and not any(words in text for words in faults)


def cut_out(picture, room):
    """RGBA u8: the head with `room` pixels of transparency around it, under which everything is white."""
    x0, y0, x1, y1 = (int(v) for v in find_faces(picture)[0].hull_xyxy)
    head = picture[max(0, y0 - 20) : y1 + 10, x0 - 10 : x1 + 10]
    rgba = np.full((head.shape[0] + 2 * room, head.shape[1] + 2 * room, 4), (255, 255, 255, 0), np.uint8)
    rgba[room:-room, room:-room] = np.dstack([head, np.full(head.shape[:2], 255, np.uint8)])
    return rgba


@pytest.mark.parametrize("policy", ["warn", "strict"])
def test_white_below_transparency_stops_no_run(nodes, comfy, picture, policy):
    """The head fills a twentieth of the picture; strict stops below score 60."""
    rgba = cut_out(picture, 300)
    Image.fromarray(rgba).save(comfy.input_folder / "cut.png")
    out = nodes["SonicLoadImage"].execute("cut.png", policy)
    assert "white" not in out.args[4]
    out = nodes["SonicImageGate"].execute(image_from_uint8(rgba[None]), policy)
    assert "white" not in out.args[4]


def test_without_a_face_only_opaque_pixels_of_an_rgba_image_count(nodes, comfy):
    rgba = np.full((1, 128, 128, 4), 255, np.uint8)
    rgba[0, 40:80, 40:80, :3] = np.random.default_rng(2).integers(40, 200, (40, 40, 3))
    assert "white" in nodes["SonicImageGate"].execute(image_from_uint8(rgba)).args[4]
    rgba[..., 3] = 0
    rgba[0, 40:80, 40:80, 3] = 255
    assert "white" not in nodes["SonicImageGate"].execute(image_from_uint8(rgba)).args[4]
