"""JPEG files of known quality, written by Pillow."""

import io

import numpy as np
from PIL import Image


def jpeg(picture, quality, subsampling=2, **options):
    """The bytes of `picture` as JPEG; 2 is 4:2:0. With qtables, quality None keeps them as they are."""
    stream = io.BytesIO()
    scale = {} if quality is None else {"quality": quality}
    Image.fromarray(picture).save(stream, "JPEG", subsampling=subsampling, **scale, **options)
    return stream.getvalue()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
