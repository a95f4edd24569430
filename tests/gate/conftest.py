"""Pictures with a known history, made from the sample portrait at 0.6 of its size: its own compression is gone there."""
import io

import numpy as np
import pytest
from PIL import Image


def jpeg(picture, quality, subsampling=2, **options):
    """The bytes of `picture` as JPEG; 2 is 4:2:0. With qtables, quality None keeps them as they are."""
    stream = io.BytesIO()
    scale = {} if quality is None else {"quality": quality}
    Image.fromarray(picture).save(stream, "JPEG", subsampling=subsampling, **scale, **options)
    return stream.getvalue()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture(scope="session")
def clean(sample_dir):
    picture = Image.open(sample_dir / "portrait.jpg").convert("RGB")
    size = [side * 6 // 10 for side in picture.size]
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def saved(clean):
    """saved(quality, ...) -> the sample after one compression, as pixels."""
    return lambda quality, **options: decoded(jpeg(clean, quality, **options))
