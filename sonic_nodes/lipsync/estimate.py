"""How far the sound of a clip is from the mouth in its pictures, and how sure that is. The arithmetic is in
csrc/lipsync."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load_file

from ..errors import InstallError
from ..extension.native import _sonic
from ..face import ASSETS
from ..media.audio import Sound
from .track import Follower, Track

CELLS_PER_S = 100
MOUTH_STEP, SOUND_STEP = 3, 4  # cells between the taps of the weights: tools/fit_sync.py
MAX_OFFSET_MS = 600  # what is searched, either way
FIX_CONFIDENCE = 0.9  # from here on the estimate is acted upon
WINDOW_S, HOP_S = 8.0, 4.0
LAGS, SAME_PEAK_CELLS = 121, 15  # csrc/lipsync/score.h
MOST_CELLS = 3000  # scores of longer stretches are not taken for more certain
BEYOND_S = 5.0  # MAX_OFFSET_MS, the widest filter's 2.4 s and the weights' reach
LEAST_CELLS = 200  # two seconds of a mouth that is seen
LEAST_FRAMES_PER_S = 8.0
LEAST_PEAK = 1e-3  # -60 dB of full scale: quieter is silence
# of the distance of the eyes; a still picture wavers by 0.01 to 0.026, quiet talkers move by 0.08
LEAST_MOVEMENT = 0.03
DRIFT_MS, DRIFT_GAIN = 100.0, 0.15
DRIFT_WINDOWS = 5
MOST_CROWDED = 0.3  # share of the looks that saw another face as large


@functools.cache
def model() -> dict[str, np.ndarray]:
    """assets/sync.safetensors, never written to: rest, basis, mouth, sound, correlations, zero_cells, detector,
    confidence."""
    try:
        return load_file(ASSETS / "sync.safetensors")
    except Exception as error:
        raise InstallError(
            f"Install the package again: {ASSETS / 'sync.safetensors'} cannot be read ({error})."
        ) from error


def follower() -> Follower:
    """What takes the pictures of a clip; its `track` is for `estimate`."""
    rest = model()["rest"]
    return Follower(lambda mesh: _sonic.sync_mouth(mesh, rest))


@dataclass(frozen=True)
class Pair:
    """Curves of mouth and sound on one clock, float32 [pairs, cells]."""

    mouth: np.ndarray
    sound: np.ndarray
    seen: np.ndarray  # uint8 [cells]
    sound_cells: int
    correlations: np.ndarray

    def score(self, begin: int, end: int) -> tuple[np.ndarray, int]:
        """(float64 [121] from -600 ms to 600 ms, cells compared) of a stretch."""
        return _sonic.sync_score(self.mouth, self.sound, self.seen, self.correlations, self.sound_cells, begin, end)


@dataclass(frozen=True)
class Estimate:
    """`offset_ms` is positive when the sound comes after the mouth; `confidence` 0..1; `reason` is a sentence for the
    user."""

    offset_ms: float
    confidence: float
    reason: str
    scores: np.ndarray | None = None  # [121]
    pair: Pair | None = None
    drift_ms: float = 0.0  # from the clip's beginning to its end, where the sound drifts

    @property
    def is_sure(self) -> bool:
        return self.confidence >= FIX_CONFIDENCE and self.drift_ms == 0.0


@dataclass(frozen=True)
class Heard:
    """What is compared of a sound: half the memory of its samples at 16000 Hz."""

    mel: np.ndarray  # float32 [80, cells of its length or more]
    loudest: float
    duration_s: float

    @classmethod
    def of(cls, sound: Sound) -> Heard:
        return cls(
            _sonic.log_mel(sound.mono_16k()), float(max(sound.waveform.max(), -sound.waveform.min())), sound.duration_s
        )


def cells_of(times_s, start_s: float, sound_s: float) -> int:
    """Cells from the sound's beginning to the end of both, or until pictures after the sound no longer reach into it by
    any filter."""
    end_s = max(sound_s, min(float(times_s[-1]) - start_s, sound_s + BEYOND_S) if len(times_s) else 0.0)
    return int(np.ceil(max(end_s, 0.01) * CELLS_PER_S)) + 1


def longer(compared: int) -> float:
    """By how much the noise of the score over so many cells is smaller than over one window."""
    return float(np.sqrt(min(compared, MOST_CELLS) / (WINDOW_S * CELLS_PER_S)))


def features_of(scores: np.ndarray, compared: int, detector: np.ndarray) -> np.ndarray:
    """What the confidence is made of: the height of the peak, how far it stands out of the noise and by how much more
    than any other, and how much was compared."""
    signal = detector @ scores * longer(compared)
    best = int(np.argmax(signal))
    other = signal[np.abs(np.arange(LAGS) - best) > SAME_PEAK_CELLS].max()
    return np.array(
        [scores.max(), signal[best], signal[best] - other, np.log(max(compared, 1) / (WINDOW_S * CELLS_PER_S))]
    )


def confidence_of(scores: np.ndarray, compared: int) -> float:
    weights = model()["confidence"]
    return float(1 / (1 + np.exp(-(features_of(scores, compared, model()["detector"]) @ weights[:-1] + weights[-1]))))


def estimate(track: Track, sound: Sound | Heard, start_s: float = 0.0) -> Estimate:
    """`start_s`: when the sound begins on the clock of the track's times."""
    heard = sound if isinstance(sound, Heard) else Heard.of(sound)
    problem = _unusable(track, heard)
    if problem:
        return Estimate(0.0, 0.0, problem)
    pair, movement = pair_of(track, heard, start_s)
    if pair.seen.sum() < LEAST_CELLS:
        return Estimate(0.0, 0.0, "Nothing was measured: no scene shows a face long enough (two seconds).")
    if movement < LEAST_MOVEMENT:
        return Estimate(0.0, 0.0, "Nothing was measured: the mouth does not move.")
    scores, compared = pair.score(0, len(pair.seen))
    if compared < LEAST_CELLS:
        return Estimate(0.0, 0.0, "Nothing was measured: less than two seconds of sound lie beside a visible mouth.")
    return _judged(pair, scores, compared)


def _unusable(track: Track, sound: Heard) -> str | None:
    frames = len(track.times_s)
    length_s = track.times_s[-1] - track.times_s[0] if frames else 0.0
    if frames < 2 or length_s < 1.5 or sound.duration_s < 1.5:
        return "Nothing was measured: the clip is too short (two seconds are needed)."
    if track.seen == 0:
        return "Nothing was measured: no face was found."
    if (frames - 1) / length_s < LEAST_FRAMES_PER_S:
        return f"Nothing was measured: {(frames - 1) / length_s:.3g} pictures a second are too few, {LEAST_FRAMES_PER_S:g} are needed."
    if sound.loudest < LEAST_PEAK:
        return "Nothing was measured: the sound is silent."
    if track.crowded > MOST_CROWDED * track.checks:
        return "Nothing was measured: there are several faces, and it is not certain who speaks. Crop the clip to one of them."
    return None


def pair_of(track: Track, sound: Heard, start_s: float) -> tuple[Pair, float]:
    """(curves, how much the mouth moves: standard deviation in distances of the eyes)."""
    arrays = model()
    cells = cells_of(track.times_s, start_s, sound.duration_s)
    sound_cells = min(cells, int(sound.duration_s * CELLS_PER_S))
    mel = np.ascontiguousarray(sound.mel[:, : max(1, sound_cells)])
    values, times_s = np.array(track.values, np.float32), np.array(track.times_s, np.float64)
    # where the model calls mouth and sound simultaneous
    mouth_s = start_s - float(arrays["zero_cells"][0]) / CELLS_PER_S
    mouth, seen = _sonic.sync_mouth_curves(
        values, times_s, np.array(track.scene, np.int32), arrays["basis"], mouth_s, cells
    )
    heard = _sonic.sync_sound_curves(mel, cells)
    movement = float(np.sqrt((mouth[:-1] ** 2).sum() / max(int(seen.sum()), 1)))  # the last says how shut the lips are
    return Pair(
        _sonic.sync_project(mouth, arrays["mouth"], MOUTH_STEP),
        _sonic.sync_project(heard, arrays["sound"], SOUND_STEP),
        seen,
        sound_cells,
        arrays["correlations"],
    ), movement


def _judged(pair: Pair, scores: np.ndarray, compared: int) -> Estimate:
    offset_ms, confidence = _sonic.sync_peak(scores)[0] * 1000 / CELLS_PER_S, confidence_of(scores, compared)
    drift_ms = _drift_ms(pair)
    if drift_ms:
        reason = (
            f"The sound drifts by about {drift_ms:.0f} ms over the clip, and moving it does not help: its sampling rate or the rate "
            "of the pictures is wrong."
        )
    elif confidence < FIX_CONFIDENCE:
        reason = (
            "Not sure: mouth and sound have too little in common. It may be another voice, music, a hidden or turned mouth, or too "
            "short a clip."
        )
    else:
        reason = _said(offset_ms)
    return Estimate(offset_ms, confidence, reason, scores, pair, drift_ms)


def _said(offset_ms: float) -> str:
    if abs(offset_ms) < 0.5:
        return "The sound fits the mouth."
    return f"The sound comes {abs(offset_ms):.0f} ms {'after' if offset_ms > 0 else 'before'} the mouth."


def _drift_ms(pair: Pair) -> float:
    """0 unless the windows of a long clip follow a slope clearly better than any one lag."""
    size, hop = int(WINDOW_S * CELLS_PER_S), int(HOP_S * CELLS_PER_S)
    starts = range(0, max(len(pair.seen) - size, 0) + 1, hop)
    rows = [pair.score(begin, begin + size)[0] for begin in starts]
    if len(rows) < DRIFT_WINDOWS:
        return 0.0
    _, cells, gain = _sonic.sync_drift(np.array(rows))
    drift_ms = cells * 1000 / CELLS_PER_S
    return drift_ms if abs(drift_ms) >= DRIFT_MS and gain >= DRIFT_GAIN else 0.0
