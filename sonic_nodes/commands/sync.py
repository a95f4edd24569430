"""The command `sonic sync`."""

from __future__ import annotations

import json
import sys

from tqdm import tqdm

from ..errors import InputError
from ..lipsync import fix
from ..lipsync.estimate import Estimate, Heard, estimate, follower
from ..lipsync.video import pictures
from ..media.audio import read_sound_at, read_speech_at


def run(options) -> int:
    max_offset_ms = fix.check_max_offset(options.max_offset_ms)
    if options.fix is not None:
        fix.check_target(options.video, options.fix)
    found = measure(options.video)
    result = {"offset_ms": round(found.offset_ms, 1), "confidence": round(found.confidence, 3), "reason": found.reason}
    if options.fix is not None:
        later_ms, result["reason"] = fix.decide(found, max_offset_ms)
        result["moved_ms"] = round(later_ms, 1)
        if later_ms:
            sound, start_s = read_sound_at(options.video)
            result["reason"] += fix.write_moved(options.video, options.fix, fix.moved(sound, later_ms), start_s)
        else:
            fix.write_copy(options.video, options.fix)
        result["output"] = options.fix
    if options.json:
        print(json.dumps(result))
    else:
        print(f"offset {result['offset_ms']:+.0f} ms, confidence {result['confidence']:.2f}\n{result['reason']}")
    return 0


def measure(path: str) -> Estimate:
    eyes = follower()
    for time_s, picture in tqdm(pictures(path), unit="frame", file=sys.stderr, disable=None, leave=False):
        eyes.see(picture, time_s)
    try:
        heard, start_s = heard_at(path)
    except InputError as error:
        return Estimate(0.0, 0.0, f"Nothing was measured: {error}")
    return estimate(eyes.track, heard, start_s)


def heard_at(path: str) -> tuple[Heard, float]:
    """(what is compared of the file's sound, when that begins); the samples are let go."""
    sound, start_s = read_speech_at(path)
    return Heard.of(sound), start_s
