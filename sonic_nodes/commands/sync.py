"""The command `sonic sync`."""

from __future__ import annotations

import json
import sys

from tqdm import tqdm

from ..errors import InputError, UsageError, is_out_of_memory
from ..lipsync import fix
from ..lipsync.estimate import AudioFeatures, Estimate, estimate, mouth_tracker
from ..media.audio import read_sound_at, read_speech_at
from ..media.video_reader import timed_frames
from ..printable import printable
from .chosen_marks import signer_of_options
from .streams import say, show


def run(options) -> int:
    max_offset_ms = fix.check_max_offset(options.max_offset_ms)
    signer = signer_of_options(options)
    if options.fix is not None:
        fix.check_target(options.video, options.fix)
    elif signer is not None:
        raise UsageError("Add --fix OUT.mp4, or leave out --sign: nothing is written without it.")
    found = measure(options.video)
    for note in found.notes:
        say(f"sonic: {printable(note)}")
    result = {"offset_ms": round(found.offset_ms, 1), "confidence": round(found.confidence, 3), "reason": found.reason}
    result["notes"] = list(found.notes)
    if options.fix is not None:
        delay_ms, result["reason"] = fix.decide(found, max_offset_ms)
        result["moved_ms"] = round(delay_ms, 1)
        if delay_ms:
            sound, start_s = read_sound_at(options.video)
            moved = fix.shifted(sound, delay_ms)
            result["reason"] += fix.write_shifted(options.video, options.fix, moved, start_s, signer)
        else:
            result["reason"] += fix.write_copy(options.video, options.fix, signer)
        result["output"] = options.fix
    if options.json:
        print(json.dumps(result))
    else:
        show(f"offset {result['offset_ms']:+.0f} ms, confidence {result['confidence']:.2f}")
        show(printable(result["reason"]))
    return 0


def measure(path: str) -> Estimate:
    tracker = mouth_tracker()
    for time_s, frame in tqdm(timed_frames(path), unit="frame", file=sys.stderr, disable=None, leave=False):
        tracker.update(frame, time_s)
    try:
        audio, start_s = read_features(path)
    except InputError as error:
        if is_out_of_memory(error):
            raise
        return Estimate(0.0, 0.0, f"Nothing was measured: {error}")
    return estimate(tracker.track, audio, start_s)


def read_features(path: str) -> tuple[AudioFeatures, float]:
    """(features of the file's sound, when it starts); the samples are released."""
    sound, start_s = read_speech_at(path)
    return AudioFeatures.from_sound(sound), start_s
