"""Faces are found where they are: upright, turned, small, cut; and nowhere else."""
import numpy as np
import pytest
from PIL import Image

from sonic_nodes.face import find_faces


@pytest.fixture(scope="module")
def portrait(sample_dir):
    return np.asarray(Image.open(sample_dir / "portrait.jpg").convert("RGB"))


def test_sample_has_one_face(portrait):
    face, = find_faces(portrait)
    assert face.score > 0.9 and face.presence > 0.9
    assert face.mesh.shape == (468, 3) and face.keypoints.shape == (6, 2)
    x0, y0, x1, y1 = face.hull_xyxy
    assert 0 < x0 < x1 < portrait.shape[1] and 0 < y0 < y1 < portrait.shape[0]
    assert np.allclose(face.hull_xyxy, [*face.mesh[:, :2].min(0), *face.mesh[:, :2].max(0)])
