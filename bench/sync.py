"""Accuracy and confidence of `sonic sync`.

    python -m bench.sync --clips DIR [DIR ...] [--cache DIR] [--draft]

Shifts the sound of every video of DIR by +-35, +-70, +-150 and +-330 ms, and estimates on whole clips and on windows of
8 s every 4 s. The offset of an unshifted clip is unknown, so an error is the difference to its unshifted estimate less
the shift. Mismatched pairs are every clip with every other recording of DIR (sound files too). The baseline is plain
correlation of mouth opening and loudness over the same lags. --draft adds clips of the built-in draft engine, whose
offset is known: the sample portrait with the sample recording and those of DIR. Exits with 0 only when every target
holds.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from sonic_nodes.errors import InputError
from sonic_nodes.extension.native import _sonic
from sonic_nodes.face_tracker import FaceTrack
from sonic_nodes.lipsync import fix
from sonic_nodes.lipsync.estimate import FIX_CONFIDENCE, estimate, mouth_tracker
from sonic_nodes.media.audio import read_sound_at
from sonic_nodes.media.video_reader import timed_frames

ROOT = Path(__file__).resolve().parent.parent
SHIFTS_MS = (-330, -150, -70, -35, 35, 70, 150, 330)
WINDOW_S, HOP_S = 8.0, 4.0
VIDEOS, SOUNDS = (".mp4", ".mov", ".mkv", ".webm"), (".wav", ".mp3", ".m4a", ".flac")
INNER_LIPS = (2 * 35 + 1, 2 * 25 + 1)  # y of mesh points 13 and 14 in the values of lipsync_mouth
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"


class Clip:
    def __init__(self, path, cache):
        self.name, self.sound, self.start_s = path.stem, *read_sound_at(path)
        cached = cache / f"{path.name}.bench.npz" if cache else None
        if cached is not None and cached.exists():
            found = np.load(cached)
            self.track = FaceTrack(
                list(found["times_s"]), list(found["values"]), list(found["scene"]), *map(int, found["counts"])
            )
            return
        tracker = mouth_tracker()
        for time_s, frame in timed_frames(path):
            tracker.update(frame, time_s)
        self.track = track = tracker.track
        if cached is not None:
            np.savez(
                cached,
                times_s=track.times_s,
                values=track.values,
                scene=track.scene,
                counts=[track.faces, track.checks, track.crowded],
            )

    @property
    def end_s(self):
        return min(self.track.times_s[-1], self.start_s + self.sound.duration_s)

    def windows(self):
        """[(begin, end)] in seconds: 8 s every 4 s, the whole clip when it is shorter."""
        begin = max(self.track.times_s[0], self.start_s)
        starts = np.arange(begin, self.end_s - WINDOW_S + 0.1, HOP_S)
        return [(s, s + WINDOW_S) for s in starts] if len(starts) else [(begin, self.end_s)]

    def cut(self, sound, begin=-np.inf, end=np.inf):
        """(track, sound, start) of a stretch, for `sound` that starts where the clip's does."""
        track, times = self.track, np.array(self.track.times_s)
        at = np.flatnonzero((times >= begin) & (times < end))
        stretch = FaceTrack(
            [track.times_s[i] for i in at],
            [track.values[i] for i in at],
            [track.scene[i] for i in at],
            sum(bool(np.isfinite(track.values[i][0])) for i in at),
            track.checks,
            track.crowded,
        )
        first = max(0, round((begin - self.start_s) * sound.rate)) if np.isfinite(begin) else 0
        last = round((end - self.start_s) * sound.rate) if np.isfinite(end) else sound.samples
        cut = replace(sound, waveform=sound.waveform[:, first:last])
        return stretch, cut, self.start_s + first / sound.rate


def loudness_lag(track, sound, start_s):
    """In ms, by plain correlation of mouth opening and sound level at 100 ticks per second."""
    ticks = int(sound.duration_s * 100)
    values, times = np.array(track.values), np.array(track.times_s)
    valid = np.isfinite(values[:, 0])
    if valid.sum() < 20 or ticks < 200:
        return 0.0
    opening = values[valid][:, INNER_LIPS[1]] - values[valid][:, INNER_LIPS[0]]
    mouth = np.interp(start_s + np.arange(ticks) / 100, times[valid], opening)
    loud = _sonic.envelope(sound.mono(), sound.rate, 100.0, ticks)
    best = {}
    for lag in range(-60, 61):
        a, b = mouth[max(0, -lag) : ticks - max(0, lag)], loud[max(0, lag) : ticks - max(0, -lag)]
        best[lag] = np.corrcoef(a, b)[0, 1] if a.std() > 0 and b.std() > 0 else 0.0
    return 10.0 * max(best, key=best.get)


def stretches(clip):
    """The whole clip, then its windows when there is more than one."""
    windows = clip.windows()
    return [(-np.inf, np.inf), *windows] if clip.end_s - clip.track.times_s[0] > WINDOW_S + 0.5 else [(-np.inf, np.inf)]


def measure_matched(clip):
    """One row per stretch and shift."""
    rows, zero = [], {}
    for shift in (0, *SHIFTS_MS):
        sound = fix.shifted(clip.sound, shift)
        for index, (begin, end) in enumerate(stretches(clip)):
            stretch, cut, start_s = clip.cut(sound, begin, end)
            found, loud = estimate(stretch, cut, start_s), loudness_lag(stretch, cut, start_s)
            if shift == 0:
                zero[index] = (found, loud)
            base = zero[index]
            rows.append(
                {
                    "clip": clip.name,
                    "whole": index == 0,
                    "shift": shift,
                    "offset": found.offset_ms,
                    "confidence": found.confidence,
                    "confident": found.is_confident and base[0].is_confident,
                    "error": found.offset_ms - base[0].offset_ms - shift,
                    "loud": loud,
                    "loud_error": loud - base[1] - shift,
                    "found": found,
                }
            )
    return rows


def measure_mismatched(clip, others):
    rows = []
    for name, sound in others:
        for index, (begin, end) in enumerate(stretches(clip)):
            if np.isfinite(begin) and end - clip.start_s > sound.duration_s + 1:
                continue
            stretch, cut, start_s = clip.cut(sound, begin, end)
            found = estimate(stretch, cut, start_s)
            rows.append(
                {"clip": clip.name, "sound": name, "whole": index == 0, "confidence": found.confidence, "found": found}
            )
    return rows


def area_under(own, other):
    own, other = np.asarray(own)[:, None], np.asarray(other)[None]
    return float(((own > other) + 0.5 * (own == other)).mean())


def far_of(rows):
    """Whole clips shifted by 150 ms or more."""
    return [r for r in rows if r["whole"] and abs(r["shift"]) >= 150]


def corrected(rows):
    """Share of the far ones that fix brings within 60 ms of where they were."""
    return np.mean([abs(r["shift"] + fix.decide(r["found"], fix.MAX_OFFSET_MS)[0]) <= 60 for r in far_of(rows)])


def in_sync(rows):
    """Share within 60 ms of zero by the estimate: an unshifted clip may have an offset of its own."""
    return np.mean(
        [r["confident"] and abs(r["offset"] + fix.decide(r["found"], fix.MAX_OFFSET_MS)[0]) <= 60 for r in far_of(rows)]
    )


def targets_of(rows, mismatched):
    shifted = [r for r in rows if r["shift"]]
    confident = [r for r in shifted if r["confident"]]
    still = [r for r in rows if r["shift"] == 0]
    error, loud = np.abs([r["error"] for r in shifted]), np.abs([r["loud_error"] for r in shifted])
    spreads, offsets = [], []
    for name in sorted({r["clip"] for r in rows}):
        own = [r["offset"] for r in still if r["clip"] == name and r["confident"]]
        spreads += [max(own) - min(own)] if own else []
        offsets += [abs(o) for o in own]
    own_confidence = [r["confidence"] for r in still]
    moved = [abs(fix.decide(r["found"], fix.MAX_OFFSET_MS)[0]) for r in still if r["whole"]]
    touched = [fix.decide(r["found"], fix.MAX_OFFSET_MS)[0] != 0 for r in mismatched]
    nan = float("nan")
    return [
        ("median error of shifts, all, ms", float(np.median(error)), "<=", 15),
        ("  the same by loudness, ms", float(np.median(loud)), None, 0),
        (
            "within 60 ms where confident",
            float(np.mean([abs(r["error"]) <= 60 for r in confident])) if confident else nan,
            ">=",
            0.90,
        ),
        ("  by loudness, all", float((loud <= 60).mean()), None, 0),
        ("confident, of all matched", len(confident) / max(len(shifted), 1), ">=", 0.60),
        ("largest spread in a clip, confident, ms", max(spreads, default=nan), "<=", 80),
        ("largest offset, unshifted, confident, ms", max(offsets, default=nan), "<=", 120),
        (
            "AUC of confidence",
            area_under(own_confidence, [r["confidence"] for r in mismatched]) if mismatched else nan,
            ">=",
            0.85,
        ),
        ("fix: most that an unshifted clip moves, ms", max(moved), "<=", 80),
        ("fix: corrected of 150 ms and more", float(corrected(rows)), ">=", 0.70),
        ("  the same, to within 60 ms of what is measured", float(in_sync(rows)), None, 0),
        ("fix: mismatched shifted", float(np.mean(touched)) if touched else nan, "<=", 0.0),
    ]


def judge(targets):
    held = True
    for name, value, sign, limit in targets:
        if sign is None:
            print(f"       {name:44s} {value:8.3f}")
            continue
        holds = value <= limit if sign == "<=" else value >= limit
        held &= bool(holds)
        print(f"{'held  ' if holds else 'MISSED'} {name:44s} {value:8.3f} {sign} {limit:g}")
    return held


def print_clip(rows):
    still = [r for r in rows if r["shift"] == 0]
    error = [abs(r["error"]) for r in rows if r["shift"]]
    loud = [abs(r["loud_error"]) for r in rows if r["shift"]]
    windows = " ".join(f"{r['offset']:+.0f}({r['confidence']:.2f})" for r in still[1:])
    whole = f"{still[0]['clip'][:40]:40s} {still[0]['offset']:+6.0f} {still[0]['confidence']:5.2f}"
    print(f"{whole}  {np.median(error):6.1f} {np.median(loud):6.1f}  {windows}", flush=True)


def draft_errors(name, sound):
    """In ms: estimates of the sample portrait speaking `sound`, unshifted and shifted, less the true offset."""
    from sonic_nodes import pipeline
    from sonic_nodes.engines.draft import DraftEngine
    from sonic_nodes.media.image import read_picture

    data = pipeline.prepare(read_picture(SAMPLE / "portrait.jpg"), sound, min_resolution=512)
    engine, tracker, count = DraftEngine(), mouth_tracker(), 0
    for chunk in engine.decode(engine.infer(data, 1), data):
        for frame in chunk:
            tracker.update(frame, count / 25)
            count += 1
    found = {shift: estimate(tracker.track, fix.shifted(sound, shift)) for shift in (0, *SHIFTS_MS)}
    print(
        f"draft, {name:30s} {found[0].offset_ms:+6.1f} ms ({found[0].confidence:.2f})  "
        + " ".join(f"{shift:+d}: {e.offset_ms - shift:+.1f}" for shift, e in found.items() if shift)
    )
    return [abs(e.offset_ms - shift) for shift, e in found.items()]


def draft_targets(sounds):
    errors = []
    for name, sound in [("sample", read_sound_at(SAMPLE / "speech.wav")[0]), *sounds]:
        errors += draft_errors(name, sound)
    return [("draft: within 20 ms", float(np.mean(np.array(errors) <= 20)), ">=", 0.95)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the face tracks here")
    parser.add_argument("--draft", action="store_true", help="measure clips of the draft engine too")
    options = parser.parse_args()
    files = [path for folder in options.clips for path in sorted(folder.iterdir())]
    clips, sounds = [], []
    for path in files:
        if path.suffix in VIDEOS:
            try:
                clips.append(Clip(path, options.cache))
            except InputError as error:
                print(f"Skipped: {error}")
        elif path.suffix in SOUNDS:
            sounds.append((path.stem, read_sound_at(path)[0]))
    print(f"{len(clips)} clips, {len(sounds)} more recordings; confident from {FIX_CONFIDENCE} on\n")
    print(f"{'clip':40s} offset conf.  error   loud  windows: offset(confidence)")
    rows, mismatched = [], []
    for clip in clips:
        own = measure_matched(clip)
        print_clip(own)
        rows += own
        mismatched += measure_mismatched(clip, [(c.name, c.sound) for c in clips if c is not clip] + sounds)
    print()
    targets = targets_of(rows, mismatched) + (draft_targets(sounds) if options.draft else [])
    return 0 if judge(targets) else 1


if __name__ == "__main__":
    sys.exit(main())
