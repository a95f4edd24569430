"""The picture under SONIC_PreData: what is animated of the portrait, the face, and where the voice acts."""

import numpy as np
from PIL import Image, ImageDraw

SIDE_PX = 1024  # of the drawing; larger portraits are shrunk to it
DIMMED = 0.45  # share of the brightness that is left outside the crop
TINT, TINT_SHARE = (40, 130, 255), 0.4
CROP_COLOUR, FACE_COLOUR, OUTLINE = (255, 255, 255), (255, 200, 0), (0, 0, 0)
KEY = "Preview: white, what is animated; yellow, the face; blue, where the sound moves it."


def drawn(data: dict) -> np.ndarray:
    """uint8 [H, W, 3]: the portrait of SONIC_PREDATA, dimmed outside the crop, the mask blue, crop and face framed."""
    source = Image.fromarray(data["source"])
    scale = min(1.0, SIDE_PX / max(source.size))
    size = tuple(max(1, round(side * scale)) for side in source.size)
    picture = source.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0) if size != source.size else source
    crop = tuple(round(edge * scale) for edge in data["crop_xyxy"])
    shown = picture.point([round(level * DIMMED) for level in range(256)] * 3)
    shown.paste(tinted(picture, data["mask"], crop), crop[:2])
    draw, width = ImageDraw.Draw(shown), max(1, round(max(size) / 300))
    for box, colour in ((data["face_xyxy"], FACE_COLOUR), (data["crop_xyxy"], CROP_COLOUR)):
        frame(draw, [edge * scale for edge in box], size, colour, width)
    return np.array(shown)


def tinted(picture: Image.Image, mask: np.ndarray, crop: tuple[int, ...]) -> Image.Image:
    """The crop of the picture, blue where the mask is 1."""
    cut = picture.crop((*crop[:2], max(crop[2], crop[0] + 1), max(crop[3], crop[1] + 1)))
    share = Image.fromarray(mask).resize(cut.size, Image.Resampling.BILINEAR)
    share = share.point(lambda value: value * (255 * TINT_SHARE)).convert("L")
    return Image.composite(Image.new("RGB", cut.size, TINT), cut, share)


def frame(draw: ImageDraw.ImageDraw, box, size: tuple[int, ...], colour, width: int) -> None:
    """A box with a dark outline, as far as it lies in the picture of `size`."""
    left, top = (min(max(0, round(box[i])), size[i] - 1) for i in (0, 1))
    right, bottom = (max(min(size[i - 2] - 1, round(box[i]) - 1), (left, top)[i - 2]) for i in (2, 3))
    draw.rectangle((left, top, right, bottom), outline=OUTLINE, width=2 * width)
    draw.rectangle((left, top, right, bottom), outline=colour, width=width)
