"""Draws the templates' thumbnails, workflows/*.jpg: the sample portrait above the loudness of the sample speech.

    python -m tools.thumbnail TEMPLATE [-o FILE.jpg] [--picture PICTURE]

fast and high_quality show the portrait itself and the template's resolution, because the weights of the Sonic model are
not part of this repository. The others show speaking frames of the draft engine with the template's settings:
dub_a_clip one of the dubbed clip, presenter the whole picture before green, two_speakers while the right one speaks,
languages a strip of each recording's, batch its three videos one behind the other, and repair_portrait the poor picture
on the left and on the right the frame of
PICTURE, which the template's Image Blend makes.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sonic_nodes import pipeline
from sonic_nodes.dub.clip import Clip
from sonic_nodes.engines.draft import OPENING, DraftEngine
from sonic_nodes.matting.backdrop import read_backdrop
from sonic_nodes.matting.presenter import Presenter
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.image import read_picture

ROOT = Path(__file__).resolve().parent.parent
SIDE_PX = 512
BAND_PX = 96
BARS = 64
LABEL_PX = 64
LABELS = {"fast": "512", "high_quality": "1024"}
TEMPLATES = ["draft", "fast", "high_quality", "two_speakers", "repair_portrait", "languages", "dub_a_clip"]
TEMPLATES += ["presenter", "batch"]
LANGUAGES = ["speech.wav", "speech_es.wav", "speech_zh.wav"]
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
PLAYED_COLOUR, AHEAD_COLOUR, BACKGROUND = (96, 165, 250), (82, 88, 102), (24, 26, 32)


def speaking_frame(data):
    """(frame uint8 [H,W,3], its position in the clip 0..1): the frame of the second half whose mouth opening is nearest
    to the 75th percentile."""
    engine = DraftEngine()
    latent = engine.infer(data, 0, engine.settings(dynamic_scale=1.1, motion_scale=1.05))
    opening = latent["sonic"]["codes"][:, OPENING]
    half = len(opening) // 2
    index = half + int(np.abs(opening[half:] - np.percentile(opening, 75)).argmin())
    start = 0
    for chunk in engine.decode(latent, data):
        if index < start + len(chunk):
            return chunk[index - start], index / data["frames"]
        start += len(chunk)
    raise AssertionError("the engine returned too few frames")


def two_speakers():
    """(uint8 [H,W,3], audio float32, position): the sample of two faces while the right one speaks, and the speech."""
    picture, sound = read_picture(SAMPLE / "two_speakers.jpg"), read_sound(SAMPLE / "speaker_2.wav")
    data = pipeline.prepare(picture, sound, face_index=1, face_order="left-to-right")
    frame, played = speaking_frame(data)
    return pipeline.paste_back(frame[None], data)[0], read_sound(SAMPLE / "speech.wav").mono_16k(), played


def presenter():
    """The whole sample portrait before the colour of studio screens."""
    portrait = read_picture(SAMPLE / "portrait.jpg")
    data = pipeline.prepare(portrait, read_sound(SAMPLE / "speech.wav"), crop="wide")
    frame, played = speaking_frame(data)
    whole = pipeline.paste_back(frame[None], data)[0]
    return Presenter(read_backdrop("green"), *whole.shape[:2]).frame(whole), data["audio"], played


def dubbed():
    """The same of the sample clip with the sample speech."""
    data = pipeline.prepare_clip(Clip(SAMPLE / "clip.mp4"), read_sound(SAMPLE / "speech.wav"))
    frame, played = speaking_frame(data)
    return frame, data["audio"], played


def one_speaker(label):
    sound, portrait = read_sound(SAMPLE / "speech.wav"), "portrait_large.jpg" if label == "1024" else "portrait.jpg"
    data = pipeline.prepare(read_picture(SAMPLE / portrait), sound, expand_ratio=0.18 if label else 0.5)
    picture, played = (data["image"], 0.0) if label else speaking_frame(data)
    return picture, data["audio"], played


def languages():
    """A third of the speaking frame of each recording, side by side."""
    portrait, strips, width = read_picture(SAMPLE / "portrait.jpg"), [], SIDE_PX // len(LANGUAGES) + 1
    for name in LANGUAGES:
        data = pipeline.prepare(portrait, read_sound(SAMPLE / name), expand_ratio=0.5)
        frame, played = speaking_frame(data)
        middle = frame.shape[1] // 2
        strips.append(frame[:, middle - width // 2 : middle - width // 2 + width])
    return np.concatenate(strips, 1)[:, :SIDE_PX], data["audio"], played


def batch():
    """The speaking frame of each recording, smaller and one behind the other."""
    portrait, card = read_picture(SAMPLE / "portrait.jpg"), Image.new("RGB", (SIDE_PX, SIDE_PX), BACKGROUND)
    side, step = 320, (SIDE_PX - 320) // (len(LANGUAGES) - 1)
    for number, name in enumerate(LANGUAGES):
        data = pipeline.prepare(portrait, read_sound(SAMPLE / name), expand_ratio=0.18)
        frame, played = speaking_frame(data)
        small = Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS)
        place = number * step, number * (SIDE_PX - BAND_PX - side) // (len(LANGUAGES) - 1)
        card.paste(BACKGROUND, (place[0] - 6, place[1] - 6, place[0] + side, place[1] + side))
        card.paste(small, place)
    return np.asarray(card), data["audio"], played


def repaired(picture):
    """The enlarged poor portrait up to the middle, and from there on the speaking frame of the repaired one."""
    sound = read_sound(SAMPLE / "speech.wav")
    after = pipeline.prepare(read_picture(picture), sound, expand_ratio=0.5)
    frame, played = speaking_frame(after)
    whole, (left, top, right, bottom) = read_picture(picture), after["crop_xyxy"]
    poor = Image.fromarray(read_picture(SAMPLE / "poor.jpg")).resize(whole.shape[1::-1], Image.Resampling.BICUBIC)
    before = np.asarray(poor.crop((left, top, right, bottom)).resize(frame.shape[1::-1], Image.Resampling.BICUBIC))
    half = frame.shape[1] // 2
    return np.concatenate([before[:, :half], frame[:, half:]], 1), after["audio"], played


def card_of(picture):
    """The picture as wide as the card, above the place for the bars when it is not square."""
    size = SIDE_PX, round(SIDE_PX * picture.shape[0] / picture.shape[1])
    card = Image.new("RGB", (SIDE_PX, SIDE_PX), BACKGROUND)
    top = max(0, (SIDE_PX - BAND_PX - size[1]) // 2)
    card.paste(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), (0, top))
    return card


def draw_loudness(card, audio, played):
    """Bars of RMS loudness along the bottom; those up to position `played`, 0..1, are bright."""
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, SIDE_PX - BAND_PX, SIDE_PX, SIDE_PX), fill=BACKGROUND)
    loudness = np.array([np.sqrt(np.mean(samples**2)) for samples in np.array_split(audio, BARS)])
    loudness /= loudness.max()
    middle, step = SIDE_PX - BAND_PX // 2, SIDE_PX / BARS
    for i, level in enumerate(loudness):
        half = 2 + level * (BAND_PX / 2 - 14)
        x = (i + 0.5) * step
        draw.line(
            (x, middle - half, x, middle + half), fill=PLAYED_COLOUR if i / BARS < played else AHEAD_COLOUR, width=4
        )


def draw_label(card, text):
    """The resolution, in the upper right corner."""
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(LABEL_PX)
    left, top, right, bottom = draw.textbbox((SIDE_PX - 16, 12), text, font=font, anchor="ra")
    draw.rounded_rectangle((left - 12, top - 10, right + 12, bottom + 10), radius=12, fill=BACKGROUND)
    draw.text((SIDE_PX - 16, 12), text, font=font, anchor="ra", fill=PLAYED_COLOUR)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("template", choices=TEMPLATES)
    parser.add_argument("-o", "--output", type=Path, help="workflows/TEMPLATE.jpg unless given")
    parser.add_argument("--picture", type=Path, help="for repair_portrait: what the template's Image Blend makes")
    options = parser.parse_args()
    if options.template == "repair_portrait" and not options.picture:
        parser.error("name the repaired picture with --picture")
    output = options.output or ROOT / "workflows" / f"{options.template}.jpg"
    label = LABELS.get(options.template)
    drawn = {
        "two_speakers": two_speakers,
        "languages": languages,
        "dub_a_clip": dubbed,
        "presenter": presenter,
        "batch": batch,
        "repair_portrait": lambda: repaired(options.picture),
    }
    picture, audio, played = drawn.get(options.template, lambda: one_speaker(label))()
    card = card_of(picture)
    draw_loudness(card, audio, played)
    if label:
        draw_label(card, label)
    card.save(output, quality=88, optimize=True)
    print(output)


if __name__ == "__main__":
    main()
