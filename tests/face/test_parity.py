"""The face networks against MediaPipe's .tflite files run by LiteRT: recorded outputs for the sample, live ones where
LiteRT is installed."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file

from sonic_nodes.face import find_faces, run_network
from tools import convert_face_models as converter

HERE = Path(__file__).resolve().parent

MESH_LIMIT_PX, END_TO_END_LIMIT_PX, BOX_LIMIT = 0.05, 0.5, 0.99


@pytest.fixture(scope="module")
def recorded():
    return load_file(HERE / "oracle.safetensors")


@pytest.fixture(scope="module")
def portrait(sample_dir):
    return np.asarray(Image.open(sample_dir / "portrait.jpg").convert("RGB"))


def planes(x):
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32))


def overlap(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    return sides.prod() / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod())


def test_detector_equals_recorded(recorded):
    small = recorded["detector_u8"]
    x = np.zeros((128, 128, 3), np.float32)
    x[: small.shape[0], : small.shape[1]] = small / np.float32(127.5) - 1
    logits, values = run_network("face_detector", planes(x))
    assert logits.shape == (1, 896, 1) and values.shape == (1, 896, 16)
    assert np.abs(logits[0, :, 0].numpy() - recorded["detector_logits"]).max() < 2e-3
    assert np.abs(values[0].numpy() - recorded["detector_values"]).max() < 2e-3


def test_mesh_equals_recorded(recorded):
    points, presence = run_network("face_mesh", planes(recorded["mesh_u8"] / np.float32(255)))
    off = np.linalg.norm(points[0].numpy().reshape(468, 3)[:, :2] - recorded["mesh_points"][:, :2], axis=1)
    print(f"mesh: {off.max():.5f} px of 192")
    assert off.max() <= MESH_LIMIT_PX and abs(presence.item() - recorded["mesh_presence"][0]) < 1e-2


def test_networks_take_batches(recorded):
    crops = torch.rand(3, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    together, presence = run_network("face_mesh", crops)
    assert presence.shape == (3, 1)
    for i in range(3):
        assert torch.allclose(together[i], run_network("face_mesh", crops[i : i + 1])[0][0], atol=1e-3)


def test_picture_equals_recorded(recorded, portrait):
    (face,) = find_faces(portrait)
    off = np.linalg.norm(face.mesh[:, :2] - recorded["picture_mesh"][:, :2], axis=1)
    print(f"end to end: {off.max():.3f} px, boxes overlap by {overlap(face.box_xyxy, recorded['box_xyxy']):.4f}")
    assert off.max() <= END_TO_END_LIMIT_PX
    assert overlap(face.box_xyxy, recorded["box_xyxy"]) >= BOX_LIMIT
    assert np.abs(face.keypoints - recorded["keypoints"]).max() < 0.5
    assert np.abs(face.mesh[:, 2] - recorded["picture_mesh"][:, 2]).max() < 1


@pytest.fixture(scope="module")
def bench():
    """bench/face_parity.py and a live oracle."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (pip install ai-edge-litert)")
    pytest.importorskip("cv2", reason="OpenCV for Python is not installed (pip install opencv-python-headless)")
    from bench import face_parity

    try:
        face_parity.oracle = face_parity.face_oracle.Oracle()
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"neither the network nor .cache/face_models has the original models: {error}")
    return face_parity


def check(row):
    assert row is not None
    print({key: value if isinstance(value, tuple) else round(float(value), 5) for key, value in row.items()})
    assert row["mesh_px"] <= MESH_LIMIT_PX and row["iou"] >= BOX_LIMIT and row["end_px"] <= END_TO_END_LIMIT_PX


@pytest.mark.parametrize("change", ["as it is", "mirrored", "tilted", "half size", "brighter"])
def test_live(bench, portrait, change):
    image = Image.fromarray(portrait)
    changed = {
        "as it is": lambda: image,
        "mirrored": lambda: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "tilted": lambda: image.rotate(25, resample=Image.Resampling.BICUBIC),
        "half size": lambda: image.reduce(2),
        "brighter": lambda: image.point(lambda v: min(255, v + 40)),
    }[change]()
    check(bench.compare(bench.oracle, np.ascontiguousarray(np.asarray(changed))))


@pytest.mark.parametrize("name", ["p_astronaut.png", "p_obama.png", "kodim04.png", "kodim15.png"])
def test_live_on_photos(bench, shared_dir, name):
    path = shared_dir / "photos" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    check(bench.compare(bench.oracle, bench.read_picture(path)))


def test_weights_are_what_the_converter_makes():
    """The committed weights name the files that they come from, by the hashes that the converter accepts."""
    for source, target in (
        ("face_detection_short_range.tflite", "face_detector.safetensors"),
        ("face_landmark.tflite", "face_mesh.safetensors"),
    ):
        with safe_open(converter.ASSETS / target, "np") as weights:
            origin = weights.metadata()["origin"]
        assert converter.MODELS[source] in origin and converter.WHEEL_SHA256 in origin and "Apache-2.0" in origin
