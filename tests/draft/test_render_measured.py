"""The sample portrait's mouth measured by an independent mesh: MediaPipe's original models run by LiteRT."""

import subprocess

import numpy as np
import pytest

from sonic_nodes import face, pipeline
from sonic_nodes.extension.native import _sonic
from sonic_nodes.media.image import read_picture

OPENING, WIDTH = 0, 1


@pytest.fixture(scope="module")
def reader_of():
    """portrait -> MeshReader of tests/oracles/mesh_reader.py."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (pip install ai-edge-litert)")
    pytest.importorskip("cv2", reason="OpenCV for Python is not installed (pip install opencv-python-headless)")
    from tests.oracles.mesh_reader import MeshReader, Oracle

    try:
        oracle = Oracle()
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"neither the network nor .cache/face_models has the original models: {error}")
    return lambda portrait: MeshReader(oracle, portrait)


@pytest.fixture(scope="module")
def portrait(sample_dir):
    """(image u8 [512, 512, 3], mesh f32 [468, 3]) as a clip has them."""
    picture = read_picture(sample_dir / "portrait.jpg")
    found, _ = face.choose(picture)
    box = face.crop_square(picture.shape, found.hull_xyxy, 0.18)
    image = pipeline.prepared_image(picture, box, 512)
    return image, pipeline.mesh_in_image(found.mesh, box, image.shape)


def read(reader_of, portrait, poses):
    """([frames, 2] opening and width of each pose minus those of the portrait, those of the portrait), face heights."""
    image, mesh = portrait
    frames = np.empty((len(poses), *image.shape), np.uint8)
    _sonic.draft_render(_sonic.draft_rig_create(image, mesh), poses, frames)
    reader = reader_of(image)
    return np.array([reader.read(frame) for frame in frames]) - reader.rest, reader.rest


def test_the_commanded_opening_is_measured(reader_of, portrait):
    poses = np.zeros((40, 8), np.float32)
    poses[:, OPENING] = 0.05 - 0.05 * np.cos(np.linspace(0, 6 * np.pi, 40))
    seen, _ = read(reader_of, portrait, poses)
    r = np.corrcoef(poses[:, OPENING], seen[:, 0])[0, 1]
    slope = np.polyfit(poses[:, OPENING], seen[:, 0], 1)[0]
    print(f"opening: r {r:.3f}, slope {slope:.2f}, 95th percentile {np.percentile(seen[:, 0], 95):.3f} of 0.1")
    assert r >= 0.93 and 0.7 < slope < 1.3


def test_the_commanded_width_is_measured(reader_of, portrait):
    poses = np.zeros((30, 8), np.float32)
    poses[:, OPENING] = 0.02
    poses[:, WIDTH] = 0.15 * np.sin(np.linspace(0, 6 * np.pi, 30))
    seen, rest = read(reader_of, portrait, poses)
    r = np.corrcoef(poses[:, WIDTH], seen[:, 1])[0, 1]
    slope = np.polyfit(poses[:, WIDTH], seen[:, 1] / rest[1], 1)[0]
    print(f"width: r {r:.3f}, slope {slope:.2f}")
    assert r >= 0.85 and 0.4 < slope < 1.4
