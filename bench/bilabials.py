"""Hit rate of lip closures on p, b and m, and false closures, on synthetic speech with known phone times: six voices of
two synthesisers.

    apt-get install flite espeak-ng
    python -m bench.bilabials

Prints per voice the share of p, b and m during which the commanded opening falls to 20 % of the clip's 95th percentile,
and the share of other phones in whose middle it does. Exit status 0 when every voice reaches 75 %, all together 85 %,
and at most 15 % of the open vowels are shut.
"""

import argparse
import ctypes
import ctypes.util
import shutil
import subprocess
import sys
import tempfile
import wave
from collections import defaultdict
from pathlib import Path

import numpy as np

from sonic_nodes.extension.native import _sonic

RATE, FPS, OPENING = 16000, 25, 0
LABIAL = ("p", "b", "m")
OPEN_VOWELS = (
    "aa",
    "ae",
    "ah",
    "ao",
    "aw",
    "ay",
    "eh",
    "ey",
    "ow",
    "oy",
    "a",
    "A:",
    "aI",
    "aU",
    "eI",
    "E",
    "O:",
    "oU",
    "0",
    "V",
)
FLITE_VOICES = ("slt", "rms", "awb", "kal16")
ESPEAK_VOICES = ("en-us", "en-us+f3")
ESPEAK_LATE_S = 0.02  # its events mark the burst, after the closure that precedes it
TEXTS = """\
Bring me the big brown map before the party begins.
Many people climb the mountain to see the pale blue lake.
The cat sat quietly near the garden wall at noon.
Tom kept ten tiny turtles in a deep green tank.
Please put the apple pie back on the kitchen table.
My mother bought a lamp, a broom, and some purple paper.
She sells fresh fish and chips by the stormy sea shore.
Nobody remembers the number of the old museum bus.
Can you give us a good reason to keep going on this long road?
Five heavy vans drove over the river valley last evening.
A small dog ran along the sunny side of the street.
We will always welcome warm weather in early winter.
The baby bumped his thumb and began to weep.
Pepper and basil make simple soup much better.
Let us look into the yellow room under the narrow stairs.
I thought that the third path would lead to the north.
Remember to empty the bucket and mop up the spilled milk.
The doctor said nothing until the nurse had gone.
Hungry kids are eating cookies, nuts, and dried dates.
Bob promised to help Pam with the problem on Monday.
Zebras graze in the hazy breeze as the sun is rising.
An open umbrella blocked most of the cab window.
What a lovely view of the harbor lights tonight.
Computers compare samples of human speech to compute probabilities.""".splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    if not shutil.which("flite") or not ctypes.util.find_library("espeak-ng"):
        print(
            "Install flite and espeak-ng to measure bilabials (apt-get install flite espeak-ng): nothing was measured."
        )
        return 0
    print(
        "voice         p     b     m   shut in the middle of: open vowel   n     t     k     d     l     r     f     w"
    )
    everything, worst = defaultdict(list), 1.0
    for voice, clips in voices():
        shut = defaultdict(list)
        for sound, phones in clips:
            read_clip(shut, sound, phones)
        worst = min(worst, hit_rate(shut))
        print(line_of(voice, shut))
        for phone, values in shut.items():
            everything[phone] += values
    print(line_of("all", everything))
    hits, false_alarms = hit_rate(everything), np.mean(everything["vowel"])
    print(f"\nfound {hits:.1%} of p, b and m, in the worst voice {worst:.1%}; open vowels shut {false_alarms:.1%}")
    return 0 if hits >= 0.85 and worst >= 0.75 and false_alarms <= 0.15 else 1


def voices():
    """(name, [(sound f32 at 16 kHz, [(phone, begin_s, end_s)])])"""
    for voice in FLITE_VOICES:
        yield "flite " + voice, (flite(voice, text) for text in TEXTS)
    espeak = Espeak()
    for voice in ESPEAK_VOICES:
        yield "espeak " + voice[-5:], (espeak.say(voice, text) for text in TEXTS)


def flite(voice, text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        run = subprocess.run(
            ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        with wave.open(str(path)) as file:
            rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    ends = [part.rsplit(":", 1) for part in run.stdout.split()]
    begins = [0.0] + [float(end) for _, end in ends]
    return at_rate(samples, rate), [
        (phone, begin, float(end)) for (phone, end), begin in zip(ends, begins, strict=False)
    ]


def at_rate(samples, rate):
    return _sonic.resample(np.ascontiguousarray(samples, np.float32) / 32768, rate, RATE)


class EspeakId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class EspeakEvent(ctypes.Structure):
    """espeak_EVENT of espeak-ng's speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", EspeakId),
    ]


class Espeak:
    """espeak-ng through its library: the command line does not report phone times."""

    SYNCHRONOUS, PHONEME_EVENTS, PHONEME, UTF8 = 2, 1, 7, 1

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("espeak-ng"))
        self.rate = self.library.espeak_Initialize(self.SYNCHRONOUS, 0, None, self.PHONEME_EVENTS)
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(EspeakEvent))
        self.callback = kind(self.receive)  # kept alive: the library holds only its address
        self.library.espeak_SetSynthCallback(self.callback)
        self.chunks, self.starts = [], []

    def receive(self, samples, count, events):
        if samples and count:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type:
            if events[i].type == self.PHONEME:
                self.starts.append((events[i].id.string.decode("latin1"), events[i].sample / self.rate - ESPEAK_LATE_S))
            i += 1
        return 0

    def say(self, voice, text):
        self.chunks, self.starts = [], []
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SystemExit(f"Install the voices of espeak-ng: {voice} is missing.")
        data = text.encode() + b"\0"
        self.library.espeak_Synth(data, len(data), 0, 1, 0, self.UTF8, None, None)
        samples = np.concatenate(self.chunks)
        ends = [begin for _, begin in self.starts[1:]] + [len(samples) / self.rate]
        return at_rate(samples, self.rate), [
            (phone, begin, end) for (phone, begin), end in zip(self.starts, ends, strict=True)
        ]


def read_clip(shut, sound, phones):
    """Appends to shut[phone], or shut["vowel"], whether the mouth is shut: during p, b, m, in the middle of others."""
    frames = -(-len(sound) * FPS // RATE)
    opening = _sonic.draft_poses(sound, frames, 1)[:, OPENING]
    limit = 0.2 * np.percentile(opening, 95)
    for phone, begin, end in phones:
        first, last = int(max(begin, 0) * FPS), min(int(end * FPS), frames - 1)
        middle = min(int(max(begin + end, 0) / 2 * FPS), frames - 1)
        if phone in LABIAL:
            shut[phone].append(opening[first : last + 1].min() <= limit)
        else:
            shut["vowel" if phone in OPEN_VOWELS else phone].append(opening[middle] <= limit)


def hit_rate(shut):
    return float(np.mean([value for phone in LABIAL for value in shut[phone]]))


def line_of(voice, shut):
    def share(phone):
        return f"{np.mean(shut[phone]):5.0%}" if shut.get(phone) else "    -"

    others = " ".join(share(phone) for phone in ("n", "t", "k", "d", "l", "r", "f", "w"))
    return f"{voice:11s} {share('p')} {share('b')} {share('m')} {share('vowel'):>37s} {others}"


if __name__ == "__main__":
    sys.exit(main())
