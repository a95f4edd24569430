"""Makes the sample of the template two_speakers from the sample portrait and speech:

    python -m tools.sample_dialogue [-o FOLDER]

two_speakers.jpg is the portrait and its mirror image side by side. speaker_1.wav and speaker_2.wav have the length of
speech.wav: each is silent where the other has the speech.
"""

import argparse
import wave
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SAMPLE = Path(__file__).resolve().parent.parent / "sonic_nodes" / "assets" / "sample"
CHANGE_S = 5.0  # searched around it: the pause between two sentences
SEARCH_S, WINDOW_S = 1.5, 0.15


def read_speech() -> tuple[np.ndarray, int]:
    with wave.open(str(SAMPLE / "speech.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def pause_near(samples: np.ndarray, rate: int, at_s: float) -> int:
    """The middle of the quietest WINDOW_S within SEARCH_S of at_s, in samples."""
    width = round(WINDOW_S * rate)
    power = np.convolve(samples.astype(float) ** 2, np.ones(width), "same")
    first, last = (round((at_s + side * SEARCH_S) * rate) for side in (-1, 1))
    return first + int(power[first:last].argmin())


def speakers() -> tuple[list[np.ndarray], int]:
    """([first, second] int16 of the length of the speech, rate)."""
    samples, rate = read_speech()
    change = pause_near(samples, rate, CHANGE_S)
    first, second = samples.copy(), samples.copy()
    first[change:], second[:change] = 0, 0
    return [first, second], rate


def picture() -> Image.Image:
    portrait = Image.open(SAMPLE / "portrait.jpg").convert("RGB")
    both = Image.new("RGB", (2 * portrait.width, portrait.height))
    both.paste(portrait, (0, 0))
    both.paste(ImageOps.mirror(portrait), (portrait.width, 0))
    return both


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=SAMPLE, help="folder of the three files")
    folder = parser.parse_args().output
    picture().save(folder / "two_speakers.jpg", quality=92, optimize=True)
    found, rate = speakers()
    for number, samples in enumerate(found, 1):
        with wave.open(str(folder / f"speaker_{number}.wav"), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
