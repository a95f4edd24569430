"""Draws docs/draft_contact_sheet.jpg: the draft engine's poses of the sample portrait, the whole frame and the mouth.

    python -m tools.contact_sheet [-o docs/draft_contact_sheet.jpg] [--portrait PICTURE]

The sheet in docs/ may only show the sample's face.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sonic_nodes import face, pipeline
from sonic_nodes.extension.native import _sonic
from sonic_nodes.media.image import read_picture

ROOT = Path(__file__).resolve().parent.parent
SIDE_PX, WHOLE_PX, GAP_PX, LABEL_PX = 768, 288, 6, 22
OPENING, WIDTH, ROUNDING, PRESS, BLINK, SWAY_X, SWAY_Y, ROLL = range(8)
POSES = [
    ("rest", {}),
    ("half open", {OPENING: 0.04}),
    ("wide open", {OPENING: 0.1}),
    ("spread", {OPENING: 0.02, WIDTH: 0.12}),
    ("narrow, round", {OPENING: 0.04, WIDTH: -0.15, ROUNDING: 1.0}),
    ("pressed", {PRESS: 1.0}),
    ("blink", {BLINK: 1.0}),
    ("sway", {OPENING: 0.05, SWAY_X: 0.012, SWAY_Y: 0.008, ROLL: 0.02}),
]


def prepared(path):
    """(image uint8 [768,768,3], mesh float32 [468,3] in its pixels): the face with more room than in a video."""
    picture = read_picture(path)
    found, _ = face.choose(picture)
    box = face.crop_square(picture.shape, found.hull_xyxy, 0.35)
    image = face.resize(pipeline.cut_out(picture, box), (SIDE_PX, SIDE_PX, 3))
    return image, pipeline.mesh_in_image(found.mesh, box, image.shape)


def around_mouth(frame, mesh):
    """A square around the mouth, 0.54 of the height of the face."""
    left, right, chin, top = (
        mesh[face.LANDMARKS[name], :2] for name in ("mouth_left", "mouth_right", "chin", "forehead")
    )
    centre, half = (left + right) / 2, 0.27 * np.linalg.norm(chin - top)
    box = [*(centre - half), *(centre + half)]
    return Image.fromarray(frame).resize((WHOLE_PX, WHOLE_PX), Image.Resampling.LANCZOS, box=box)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "draft_contact_sheet.jpg")
    parser.add_argument("--portrait", type=Path, default=ROOT / "sonic_nodes" / "assets" / "sample" / "portrait.jpg")
    options = parser.parse_args()
    image, mesh = prepared(options.portrait)
    poses = np.zeros((len(POSES), 8), np.float32)
    for row, (_, values) in zip(poses, POSES, strict=True):
        row[list(values)] = list(values.values())
    frames = np.empty((len(POSES), *image.shape), np.uint8)
    _sonic.draft_render(_sonic.draft_rig_create(image, mesh), poses, frames)
    columns, tile = len(POSES) // 2, (WHOLE_PX + GAP_PX, 2 * WHOLE_PX + GAP_PX + LABEL_PX)
    sheet = Image.new("RGB", (columns * tile[0] + GAP_PX, 2 * tile[1] + GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for i, ((label, _), frame) in enumerate(zip(POSES, frames, strict=True)):
        left, top = GAP_PX + i % columns * tile[0], i // columns * tile[1]
        draw.text((left, top + 5), label, "black")
        sheet.paste(
            Image.fromarray(frame).resize((WHOLE_PX, WHOLE_PX), Image.Resampling.LANCZOS), (left, top + LABEL_PX)
        )
        sheet.paste(around_mouth(frame, mesh), (left, top + LABEL_PX + WHOLE_PX + GAP_PX // 2))
    sheet.save(options.output, quality=88)
    print(options.output)


if __name__ == "__main__":
    main()
