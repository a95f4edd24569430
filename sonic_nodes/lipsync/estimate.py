"""The offset between the sound of a clip and the mouth in its frames, with a confidence. The arithmetic is in
csrc/lipsync."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from safetensors.numpy import load_file

from ..errors import InstallError, is_out_of_memory, shortage
from ..extension.native import _sonic
from ..face import ASSETS
from ..face_tracker import FaceTrack, FaceTracker
from ..media.audio import Sound
from ..media.voice import speech_notes

TICKS_PER_S = 100
MOUTH_STEP, SOUND_STEP = 3, 4  # ticks between the taps of the weights: tools/fit_sync.py
MAX_OFFSET_MS = 600  # the search range, either way
FIX_CONFIDENCE = 0.9  # from here on the sound is shifted
WINDOW_S, HOP_S = 8.0, 4.0
LAGS, PEAK_RADIUS_TICKS = 121, 15  # csrc/lipsync/score.h
MAX_SCORED_TICKS = 3000  # longer stretches do not raise the confidence further
TAIL_S = 5.0  # MAX_OFFSET_MS, 2.4 s of the widest filter, and the span of the weights
MIN_TICKS = 200  # two seconds of a visible mouth
MIN_FPS = 8.0
MIN_PEAK = 1e-3  # -60 dB of full scale: below is silence
# in distances between the eyes; the mesh of a still image has noise of 0.01 to 0.026, quiet speakers move by 0.08
MIN_MOVEMENT = 0.03
MIN_DRIFT_MS, MIN_DRIFT_GAIN = 100.0, 0.15
MIN_DRIFT_WINDOWS = 5
MAX_CROWDED_SHARE = 0.3  # of the face detections with a second face as large


@functools.cache
def model() -> dict[str, np.ndarray]:
    """assets/sync.safetensors, read-only: rest, basis, mouth, sound, correlations, zero_cells, detector, confidence."""
    try:
        return load_file(ASSETS / "sync.safetensors")
    except Exception as error:
        if is_out_of_memory(error):
            raise shortage(error) from None
        raise InstallError(
            f"Install the package again: {ASSETS / 'sync.safetensors'} cannot be read ({error})."
        ) from error


def mouth_tracker() -> FaceTracker:
    """A tracker whose `track` is for `estimate`."""
    rest = model()["rest"]
    return FaceTracker(lambda mesh: _sonic.lipsync_mouth(mesh, rest))


@dataclass(frozen=True)
class Variates:
    """Canonical variates of mouth and sound on one clock, float32 [pairs, ticks]."""

    mouth: np.ndarray
    sound: np.ndarray
    valid: np.ndarray  # uint8 [ticks], where the mouth is visible
    sound_ticks: int
    correlations: np.ndarray  # float32 [pairs]

    def score(self, begin: int, end: int) -> tuple[np.ndarray, int]:
        """(float64 [121] from -600 ms to 600 ms, ticks compared) of a stretch."""
        return _sonic.lipsync_score(self.mouth, self.sound, self.valid, self.correlations, self.sound_ticks, begin, end)


@dataclass(frozen=True)
class Estimate:
    """`offset_ms` is positive when the sound is late; `confidence` 0..1; `reason` is a sentence for the user."""

    offset_ms: float
    confidence: float
    reason: str
    scores: np.ndarray | None = None  # [121]
    variates: Variates | None = None
    drift_ms: float = 0.0  # change of the offset over the clip
    notes: tuple[str, ...] = ()  # sentences for the user about the sound

    @property
    def is_confident(self) -> bool:
        return self.confidence >= FIX_CONFIDENCE and self.drift_ms == 0.0


@dataclass(frozen=True)
class AudioFeatures:
    """What is compared of a sound, in half the memory of its samples at 16000 Hz."""

    mel: np.ndarray  # float32 [80, ticks of its length or more]
    peak: float
    duration_s: float
    notes: tuple[str, ...] = ()  # sentences for the user about the sound

    @classmethod
    def from_sound(cls, sound: Sound) -> AudioFeatures:
        peak = float(max(sound.waveform.max(), -sound.waveform.min()))
        mono = sound.mono_16k()
        notes = (*sound.notes, *speech_notes(sound, mono))
        return cls(_sonic.log_mel(mono), peak, sound.duration_s, notes)


def tick_count(times_s, start_s: float, sound_s: float) -> int:
    """Ticks from the start of the sound to the end of both; frames beyond the reach of the filters do not count."""
    end_s = max(sound_s, min(float(times_s[-1]) - start_s, sound_s + TAIL_S) if len(times_s) else 0.0)
    return int(np.ceil(max(end_s, 0.01) * TICKS_PER_S)) + 1


def noise_reduction(compared: int) -> float:
    """Standard deviation of a score's noise over one window, relative to that over `compared` ticks."""
    return float(np.sqrt(min(compared, MAX_SCORED_TICKS) / (WINDOW_S * TICKS_PER_S)))


def score_features(scores: np.ndarray, compared: int, detector: np.ndarray) -> np.ndarray:
    """Features of the confidence: height of the peak, its detector output, the margin to every other peak, and the
    logarithm of the length compared."""
    signal = detector @ scores * noise_reduction(compared)
    best = int(np.argmax(signal))
    other = signal[np.abs(np.arange(LAGS) - best) > PEAK_RADIUS_TICKS].max()
    return np.array(
        [scores.max(), signal[best], signal[best] - other, np.log(max(compared, 1) / (WINDOW_S * TICKS_PER_S))]
    )


def score_confidence(scores: np.ndarray, compared: int) -> float:
    """0..1, by logistic regression (tools/fit_sync.py)."""
    weights = model()["confidence"]
    features = score_features(scores, compared, model()["detector"])
    return float(1 / (1 + np.exp(-(features @ weights[:-1] + weights[-1]))))


def estimate(track: FaceTrack, sound: Sound | AudioFeatures, start_s: float = 0.0) -> Estimate:
    """`start_s`: when the sound starts on the clock of the track."""
    audio = sound if isinstance(sound, AudioFeatures) else AudioFeatures.from_sound(sound)
    return replace(_estimate(track, audio, start_s), notes=audio.notes)


def _estimate(track: FaceTrack, audio: AudioFeatures, start_s: float) -> Estimate:
    problem = _problem(track, audio)
    if problem:
        return Estimate(0.0, 0.0, problem)
    variates, movement = compute_variates(track, audio, start_s)
    if variates.valid.sum() < MIN_TICKS:
        return Estimate(0.0, 0.0, "Nothing was measured: no scene shows a face for long enough (two seconds).")
    if movement < MIN_MOVEMENT:
        return Estimate(0.0, 0.0, "Nothing was measured: the mouth does not move.")
    scores, compared = variates.score(0, len(variates.valid))
    if compared < MIN_TICKS:
        return Estimate(0.0, 0.0, "Nothing was measured: less than two seconds of sound overlap a visible mouth.")
    return _conclude(variates, scores, compared)


def problem_of_length(frames: int, length_s: float, audio: AudioFeatures) -> str | None:
    """Why a clip of so many frames, the last `length_s` after the first, cannot be measured whatever they show."""
    if frames < 2 or length_s < 1.5 or audio.duration_s < 1.5:
        return "Nothing was measured: the clip is too short (two seconds are needed)."
    if (frames - 1) / length_s < MIN_FPS:
        fps = (frames - 1) / length_s
        return f"Nothing was measured: {fps:.3g} frames per second are too few, {MIN_FPS:g} are needed."
    if audio.peak < MIN_PEAK:
        return "Nothing was measured: the sound is silent."
    return None


def _problem(track: FaceTrack, audio: AudioFeatures) -> str | None:
    """Why the clip cannot be measured."""
    frames = len(track.times_s)
    problem = problem_of_length(frames, track.times_s[-1] - track.times_s[0] if frames else 0.0, audio)
    if problem:
        return problem
    if track.faces == 0:
        return "Nothing was measured: no face was found."
    if track.crowded > MAX_CROWDED_SHARE * track.checks:
        return (
            "Nothing was measured: there are several faces, and any may be the speaker. Crop the clip to one of them."
        )
    return None


def compute_variates(track: FaceTrack, audio: AudioFeatures, start_s: float) -> tuple[Variates, float]:
    """(variates, movement of the mouth: standard deviation in distances between the eyes)."""
    arrays = model()
    ticks = tick_count(track.times_s, start_s, audio.duration_s)
    sound_ticks = min(ticks, int(audio.duration_s * TICKS_PER_S))
    mel = np.ascontiguousarray(audio.mel[:, : max(1, sound_ticks)])
    values, times_s = np.array(track.values, np.float32), np.array(track.times_s, np.float64)
    # moves the clip's zero to the model's
    mouth_s = start_s - float(arrays["zero_cells"][0]) / TICKS_PER_S
    mouth, valid = _sonic.lipsync_mouth_curves(
        values, times_s, np.array(track.scene, np.int32), arrays["basis"], mouth_s, ticks
    )
    curves = _sonic.lipsync_sound_curves(mel, ticks)
    movement = float(np.sqrt((mouth[:-1] ** 2).sum() / max(int(valid.sum()), 1)))  # the last is the gap of the lips
    return Variates(
        _sonic.lipsync_project(mouth, arrays["mouth"], MOUTH_STEP),
        _sonic.lipsync_project(curves, arrays["sound"], SOUND_STEP),
        valid,
        sound_ticks,
        arrays["correlations"],
    ), movement


def _conclude(variates: Variates, scores: np.ndarray, compared: int) -> Estimate:
    offset_ms = _sonic.lipsync_peak(scores)[0] * 1000 / TICKS_PER_S
    confidence = score_confidence(scores, compared)
    drift_ms = _find_drift_ms(variates)
    if drift_ms:
        reason = (
            f"The sound drifts by about {drift_ms:.0f} ms over the clip, which no shift corrects: "
            "its sampling rate or the frame rate is wrong."
        )
    elif confidence < FIX_CONFIDENCE:
        reason = (
            "Not sure: mouth and sound match too weakly. Possible causes are another voice, music, a covered mouth, "
            "a face in profile, or a short clip."
        )
    else:
        reason = _describe_offset(offset_ms)
    return Estimate(offset_ms, confidence, reason, scores, variates, drift_ms)


def _describe_offset(offset_ms: float) -> str:
    if abs(offset_ms) < 0.5:
        return "The sound is in sync with the mouth."
    return f"The sound comes {abs(offset_ms):.0f} ms {'after' if offset_ms > 0 else 'before'} the mouth."


def _find_drift_ms(variates: Variates) -> float:
    """0 unless the windows of a long clip follow a slope clearly better than any constant lag."""
    size, hop = int(WINDOW_S * TICKS_PER_S), int(HOP_S * TICKS_PER_S)
    starts = range(0, max(len(variates.valid) - size, 0) + 1, hop)
    scores = [variates.score(begin, begin + size)[0] for begin in starts]
    if len(scores) < MIN_DRIFT_WINDOWS:
        return 0.0
    _, drift_ticks, gain = _sonic.lipsync_drift(np.array(scores))
    drift_ms = drift_ticks * 1000 / TICKS_PER_S
    return drift_ms if abs(drift_ms) >= MIN_DRIFT_MS and gain >= MIN_DRIFT_GAIN else 0.0
