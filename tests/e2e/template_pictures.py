"""Makes the pictures of docs/templates.md of the screenshots that test_templates.py has left in $SONIC_E2E_OUT:

python -m tests.e2e.template_pictures SONIC_E2E_OUT
"""

import sys
from pathlib import Path

from PIL import Image

from tests.e2e.common import ROOT

PICTURES = ROOT / "docs/templates"
CANVAS = (70, 85, 1590, 915)  # without the bars of the page, which is 1600 x 1000
MARGIN_PX, WIDTH_PX, QUALITY = 12, 1400, 70
BACKGROUND = 48  # brighter than the canvas and its grid is a node


def nodes_only(shot: Image.Image) -> Image.Image:
    """The part of the canvas that holds nodes."""
    canvas = shot.convert("RGB").crop(CANVAS)
    bright = canvas.convert("L").point(lambda level: 255 * (level > BACKGROUND))
    left, top, right, bottom = bright.getbbox()
    box = left - MARGIN_PX, top - MARGIN_PX, right + MARGIN_PX, bottom + MARGIN_PX
    return canvas.crop((max(0, box[0]), max(0, box[1]), box[2], box[3]))


def main(shots):
    PICTURES.mkdir(parents=True, exist_ok=True)
    for template in sorted((ROOT / "workflows").glob("*.json")):
        for language in ("en", "zh"):
            folder = Path(shots) / f"templates_{language}"
            done, opened = (folder / f"{template.stem}.{state}.png" for state in ("done", "opened"))
            with Image.open(done if done.exists() else opened) as shot:
                picture = nodes_only(shot)
            picture.thumbnail((WIDTH_PX, WIDTH_PX))
            picture.save(PICTURES / f"{template.stem}.{language}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
