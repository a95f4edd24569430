"""The variants of a good photo that bench/gate.py judges, with the expected verdict.

A variant is bad (a face would be animated badly), good, or neutral (either verdict is right). Its file has the format
of such files: .jpg stays .jpg. Variants of a family share a manipulation, of bad and, where possible, of good pictures.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

BAD, GOOD, NEUTRAL = "bad", "good", "neutral"
QUALITIES = (20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95)
PNG_LEVEL = 3  # of compression, 0 to 9
AREA, LINEAR, CUBIC, LANCZOS, NEAREST = (
    cv2.INTER_AREA,
    cv2.INTER_LINEAR,
    cv2.INTER_CUBIC,
    cv2.INTER_LANCZOS4,
    cv2.INTER_NEAREST,
)


@dataclass(frozen=True)
class Variant:
    family: str
    name: str
    label: str
    suffix: str
    data: bytes
    quality: int | None = None  # of the coarsest compression, where the pixels still show it
    box: tuple[int, int, int, int] | None = None  # the face box


def png(picture: np.ndarray, family: str, name: str, label: str, **more) -> Variant:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, "PNG", compress_level=PNG_LEVEL)
    return Variant(family, name, label, ".png", stream.getvalue(), **more)


def jpeg_bytes(picture: np.ndarray, quality: int, subsampling: int = 2, **options) -> bytes:
    """Pillow scales the qtables in `options` by quality; 50 leaves them unchanged."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(
        stream, "JPEG", quality=quality, subsampling=subsampling, **options
    )
    return stream.getvalue()


def jpg(
    picture: np.ndarray, quality: int, family: str, name: str, label: str, subsampling: int = 2, **options
) -> Variant:
    return Variant(family, name, label, ".jpg", jpeg_bytes(picture, quality, subsampling, **options))


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def saved(picture: np.ndarray, quality: int, subsampling: int = 2, **options) -> np.ndarray:
    return decoded(jpeg_bytes(picture, quality, subsampling, **options))


def webp(picture: np.ndarray, quality: int, family: str, name: str, label: str) -> Variant:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, "WEBP", quality=quality)
    return Variant(family, name, label, ".webp", stream.getvalue())


def resized(picture: np.ndarray, scale: float, how: int = CUBIC) -> np.ndarray:
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)


def fake(picture: np.ndarray, scale: int, up: int = CUBIC) -> np.ndarray:
    small = resized(picture, 1 / scale, AREA)
    return cv2.resize(small, picture.shape[1::-1], interpolation=up)


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def defocused(picture: np.ndarray, radius: float) -> np.ndarray:
    """A disk with a soft border."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def motion_blurred(picture: np.ndarray, length: int, degrees: float) -> np.ndarray:
    """Motion in a straight line of `length` pixels."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), degrees, 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length), flags=LINEAR)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def noisy(picture: np.ndarray, sigma: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def gamma(picture: np.ndarray, exponent: float) -> np.ndarray:
    return np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)[picture]


def contrasted(picture: np.ndarray, gain: float, offset: float) -> np.ndarray:
    return np.clip(np.rint((picture.astype(np.float32) - 128) * gain + 128 + offset), 0, 255).astype(np.uint8)


def sharpened(picture: np.ndarray, amount: float, sigma: float = 1.0) -> np.ndarray:
    soft = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma)
    return np.clip(np.rint(picture + amount * (picture - soft)), 0, 255).astype(np.uint8)


def grey(picture: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[..., None], 3, 2)


def rotated(picture: np.ndarray, degrees: float) -> np.ndarray:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(picture, turn, (width, height), flags=CUBIC, borderMode=cv2.BORDER_REFLECT)


def label_of(quality: int) -> str:
    return BAD if quality <= 60 else GOOD


def standard(photo: np.ndarray) -> Iterator[Variant]:
    """One step, as in everyday files, and compressions hidden by another format."""
    yield png(photo, "clean", "png", GOOD)
    for tag, subsampling in (("420", 2), ("444", 0)):
        for q in QUALITIES:
            data = jpeg_bytes(photo, q, subsampling)
            yield Variant("jpg", f"q{q} {tag}", label_of(q), ".jpg", data, q)
            yield png(decoded(data), "jpg>png", f"q{q} {tag}", label_of(q), quality=q)
    for q in (20, 40, 50, 60, 75, 90):
        yield png(saved(photo, q)[5:-2, 3:-6], "crop", f"q{q}", label_of(q), quality=q)
    for scale, how in ((0.75, AREA), (1.5, CUBIC)):
        for q in (20, 40, 60, 90):
            yield png(resized(saved(photo, q), scale, how), f"x{scale}", f"q{q}", label_of(q))
        yield png(resized(photo, scale, how), f"x{scale}", "clean", GOOD if scale < 1 else NEUTRAL)
    for first, last in ((40, 95), (90, 95), (40, 75)):
        yield jpg(saved(photo, first), last, "double", f"q{first}>q{last}", label_of(first))
    yield jpg(saved(photo, 40)[2:, 5:], 90, "double", "q40>crop>q90", BAD)
    for q in (40, 90):
        yield jpg(photo, q, "progressive", f"q{q}", label_of(q), progressive=True)
        yield webp(photo, q, "webp", f"q{q}", NEUTRAL)
    for sigma in (1, 2, 4):
        yield png(blurred(photo, sigma), "blur", f"s{sigma}", BAD if sigma >= 2 else GOOD)
    yield png(fake(photo, 2), "fake", "x2", NEUTRAL)
    yield png(fake(photo, 4), "fake", "x4", BAD)
    yield png(fake(photo, 4, LANCZOS), "fake", "x4 lanczos", BAD)
    for sigma in (5, 10):
        yield png(noisy(photo, sigma), "noise", f"s{sigma}", GOOD)
    yield jpg(blurred(photo, 2), 92, "blur", "s2>q92", BAD)
    yield jpg(fake(photo, 4), 92, "fake", "x4>q92", BAD)


def stress(photo: np.ndarray) -> Iterator[Variant]:
    """Two steps and more: what programs and platforms do to a compressed picture."""
    for q in (30, 40, 50, 60, 90, 92):
        old, label = saved(photo, q), label_of(q)
        for scale, how in ((0.8, AREA), (0.9, CUBIC), (1.25, LINEAR), (4 / 3, CUBIC), (1.75, LANCZOS), (2, CUBIC)):
            yield png(resized(old, scale, how), f"x{scale:.2f}", f"q{q}", label)
        yield png(gamma(old, 0.8), "tone", f"gamma q{q}", label)
        yield png(contrasted(old, 1.2, 8), "tone", f"contrast q{q}", label)
        yield png(sharpened(old, 0.7), "sharpen", f"q{q}", label)
        yield png(blurred(old, 0.6), "soften", f"q{q}", label)
        yield png(noisy(old, 4), "grain", f"q{q}", label)
        yield webp(old, 90, "jpg>webp", f"q{q}", label)
        yield png(grey(old), "grey", f"q{q}", label)
        yield png(old[::-1, ::-1].transpose(1, 0, 2), "rotated_90", f"q{q}", label)
    for scale, how in ((0.6, AREA), (0.8, AREA), (0.9, CUBIC)):
        yield png(resized(photo, scale, how), f"x{scale:.2f}", "clean", GOOD)
    yield png(gamma(photo, 0.8), "tone", "gamma clean", GOOD)
    yield png(sharpened(photo, 0.7), "sharpen", "clean", GOOD)
    yield png(blurred(photo, 0.6), "soften", "clean", GOOD)
    yield png(grey(photo), "grey", "clean", GOOD)
    for first, last in ((30, 85), (40, 85), (60, 85)):
        yield jpg(
            resized(saved(photo, first), 0.8, AREA),
            last,
            "chain",
            f"q{first}>x0.8>q{last}",
            BAD if first < 60 else NEUTRAL,
        )
    yield jpg(resized(saved(photo, 92), 0.8, AREA), 92, "chain", "q92>x0.8>q92", GOOD)
    yield jpg(resized(photo, 0.8, AREA), 85, "chain", "x0.8>q85", GOOD)
    for first, last in ((40, 80), (50, 75), (50, 90), (60, 90), (30, 75)):
        yield jpg(saved(photo, first), last, "double2", f"q{first}>q{last}", BAD)
        yield png(saved(saved(photo, first), last), "double2", f"q{first}>q{last}>png", BAD)
    for first, last in ((85, 75), (75, 90), (90, 75), (95, 85)):
        yield jpg(saved(photo, first), last, "double2", f"q{first}>q{last}", GOOD)
        yield png(saved(saved(photo, first), last), "double2", f"q{first}>q{last}>png", GOOD)
    flat = [[24] * 64] * 2
    uneven = [
        [max(1, round(v * (1.15 if i % 2 else 0.85))) for i, v in enumerate(table)] for table in standard_tables()
    ]
    yield png(saved(photo, 50, qtables=flat), "tables", "flat 24", BAD)
    yield png(saved(photo, 50, qtables=uneven), "tables", "uneven q50", BAD)
    yield png(saved(photo, 90, qtables=uneven), "tables", "uneven q90", GOOD)
    yield from soft(photo)
    yield from parts(photo)


def soft(photo: np.ndarray) -> Iterator[Variant]:
    """Missing sharpness of every kind, also below a later compression."""
    for radius in (3, 5):
        yield png(defocused(photo, radius), "defocus", f"r{radius}", BAD)
    yield jpg(defocused(photo, 3), 92, "defocus", "r3>q92", BAD)
    for degrees in (0, 30, 90, 135):
        yield png(motion_blurred(photo, 9, degrees), "motion", f"9px {degrees}", BAD)
    yield png(motion_blurred(photo, 15, 60), "motion", "15px 60", BAD)
    yield jpg(motion_blurred(photo, 9, 20), 92, "motion", "9px 20>q92", BAD)
    yield png(blurred(photo, 3), "blur2", "s3", BAD)
    yield png(noisy(blurred(photo, 2), 3), "blur2", "s2 + noise 3", BAD)
    yield png(fake(photo, 3), "fake2", "x3", NEUTRAL)
    yield png(fake(photo, 4, LINEAR), "fake2", "x4 linear", BAD)
    yield png(fake(photo, 4, NEAREST), "repeat", "x4", BAD)
    yield png(fake(photo, 2, NEAREST), "repeat", "x2", BAD)
    yield jpg(fake(photo, 4, NEAREST), 92, "repeat", "x4>q92", BAD)
    yield jpg(noisy(photo, 5), 92, "noise2", "s5>q92", GOOD)
    yield jpg(blurred(photo, 1), 92, "blur2", "s1>q92", GOOD)


def parts(photo: np.ndarray) -> Iterator[Variant]:
    """Pasted parts, frames, small pictures, palettes, rotation by a few degrees."""
    height, width = photo.shape[:2]
    for q in (20, 40, 92):
        other, mixed = saved(photo[:, ::-1], q), photo.copy()
        top, left, h, w = height // 4 + 3, width // 4 + 5, height // 2, width // 2
        mixed[top : top + h, left : left + w] = other[top : top + h, left : left + w]
        yield png(mixed, "paste", f"q{q}", label_of(q))
    for q in (40, 92):
        framed = np.full((height + 61, width + 37, 3), 240, np.uint8)
        framed[30 : 30 + height, 19 : 19 + width] = saved(photo, q)
        yield png(framed, "frame", f"q{q}", label_of(q))
    middle = photo[height // 2 - 128 : height // 2 + 128, width // 2 - 128 : width // 2 + 128]
    yield png(middle, "small", "clean", GOOD)
    for q in (40, 92):
        yield png(saved(middle, q), "small", f"q{q}", label_of(q))
    yield png(np.asarray(Image.fromarray(photo).quantize(64).convert("RGB")), "palette", "64", NEUTRAL)
    yield png(rotated(saved(photo, 40), 2), "rotate", "q40", NEUTRAL)
    yield png(rotated(photo, 2), "rotate", "clean", GOOD)


def face_cases(photo: np.ndarray, box: tuple[int, int, int, int]) -> Iterator[Variant]:
    """A blurred face on a sharp background and the reverse, with a soft border."""
    x0, y0, x1, y1 = box
    mask = np.zeros(photo.shape[:2], np.float32)
    cv2.ellipse(mask, ((x0 + x1) // 2, (y0 + y1) // 2), (int((x1 - x0) * 0.6), int((y1 - y0) * 0.6)), 0, 0, 360, 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 4)[..., None]
    for sigma in (2, 3):
        soft_photo = blurred(photo, sigma)
        yield png(
            np.rint(mask * soft_photo + (1 - mask) * photo).astype(np.uint8), "face", f"blurred s{sigma}", BAD, box=box
        )
    yield png(
        np.rint(mask * photo + (1 - mask) * blurred(photo, 4)).astype(np.uint8),
        "face",
        "background blurred",
        GOOD,
        box=box,
    )
    yield png(photo, "face", "clean", GOOD, box=box)


def standard_tables() -> list[list[int]]:
    """Luma and chroma of T.81's annex K, as Pillow reads them from a file of quality 50."""
    tables = Image.open(io.BytesIO(jpeg_bytes(np.zeros((16, 16, 3), np.uint8), 50))).quantization
    return [list(tables[0]), list(tables[1])]
