"""Draws the templates' cards, workflows/*.jpg: the sample portrait, and the voice that moves it.

    python -m tools.thumbnail draft|fast|high_quality [-o FILE.jpg]

draft shows the sample face speaking, rendered by the draft engine with the template's own settings. The others show the
portrait as it is, with the template's resolution: what the Sonic model makes of it depends on weights that are not part
of this repository.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import OPENING, DraftEngine
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.image import read_picture

ROOT = Path(__file__).resolve().parent.parent
SIDE_PX = 512
BAND_PX = 96
BARS = 64
LABEL_PX = 64
LABELS = {"draft": None, "fast": "512", "high_quality": "1024"}
PLAYED, AHEAD, BACKGROUND = (96, 165, 250), (82, 88, 102), (24, 26, 32)


def speaking_frame(data):
    """(picture uint8 [H,W,3], its place in the clip 0..1): an open mouth in the second half of the clip, wider than
    three in four."""
    engine = DraftEngine()
    latent = engine.infer(data, 0, engine.settings(dynamic_scale=1.1, motion_scale=1.05))
    opening = latent["sonic"]["codes"][:, OPENING]
    half = len(opening) // 2
    wanted = half + int(np.abs(opening[half:] - np.percentile(opening, 75)).argmin())
    seen = 0
    for chunk in engine.decode(latent, data):
        if wanted < seen + len(chunk):
            return chunk[wanted - seen], wanted / data["frames"]
        seen += len(chunk)
    raise AssertionError("the engine returned too few frames")


def draw_voice(card, audio, played):
    """Bars of loudness along the card's foot; those already spoken are bright."""
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, SIDE_PX - BAND_PX, SIDE_PX, SIDE_PX), fill=BACKGROUND)
    loudness = np.array([np.sqrt(np.mean(part**2)) for part in np.array_split(audio, BARS)])
    loudness /= loudness.max()
    middle, step = SIDE_PX - BAND_PX // 2, SIDE_PX / BARS
    for i, level in enumerate(loudness):
        half = 2 + level * (BAND_PX / 2 - 14)
        x = (i + 0.5) * step
        draw.line((x, middle - half, x, middle + half), fill=PLAYED if i / BARS < played else AHEAD, width=4)


def draw_label(card, text):
    """The resolution in the upper right corner."""
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(LABEL_PX)
    left, top, right, bottom = draw.textbbox((SIDE_PX - 16, 12), text, font=font, anchor="ra")
    draw.rounded_rectangle((left - 12, top - 10, right + 12, bottom + 10), radius=12, fill=BACKGROUND)
    draw.text((SIDE_PX - 16, 12), text, font=font, anchor="ra", fill=PLAYED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("template", choices=LABELS)
    parser.add_argument("-o", "--output", type=Path, help="workflows/TEMPLATE.jpg unless given")
    options = parser.parse_args()
    output = options.output or ROOT / "workflows" / f"{options.template}.jpg"
    sample = ROOT / "sonic_nodes" / "assets" / "sample"
    label, sound = LABELS[options.template], read_sound(sample / "speech.wav")
    data = pipeline.prepare(read_picture(sample / "portrait.jpg"), sound, expand_ratio=0.18 if label else 0.5)
    picture, played = (data["image"], 0.0) if label else speaking_frame(data)
    card = Image.fromarray(picture).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    draw_voice(card, data["audio"], played)
    if label:
        draw_label(card, label)
    card.save(output, quality=88, optimize=True)
    print(output)


if __name__ == "__main__":
    main()
