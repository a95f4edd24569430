"""The sample portrait and its face."""

import pytest

from sonic_nodes.face import find_faces
from sonic_nodes.media.image import read_picture


@pytest.fixture(scope="module")
def picture(sample_dir):
    return read_picture(sample_dir / "portrait.jpg")


@pytest.fixture(scope="module")
def face(picture):
    return find_faces(picture)[0]
