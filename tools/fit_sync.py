"""Fits the model of `sonic sync` and writes sonic_nodes/assets/sync.safetensors.

    python -m tools.fit_sync --clips DIR --cache DIR [--exclude NAME ...] [--check]

DIR holds clips of people talking, with sound, named SOURCE__NAME.mp4; cross-validation holds out clips of one SOURCE
together. The meshes and the log-mel of each clip are cached under --cache.

1. Mean head: the mean of the meshes' rigid points after alignment with the first.
2. Basis of the mouth: principal components, each clip with the same weight; and the gap between the lips.
3. Canonical correlation of the two curves with their neighbourhoods (Sargin et al. 2007), with a ridge on both
   covariances.
4. Alignment: clips are dubbed, cut and shifted by their editors, so the fit is repeated on clips shifted by the lag
   that it found. Clips that match the model at no lag are dropped. In large sources each clip has less weight.
5. Zero: clips of the draft engine, whose offset is known, are set to -10 ms; recordings then scatter about +20 ms.
6. Confidence, on held-out sources: a matched filter for the shape of the peak, and logistic regression that separates
   stretches with the right lag from those with the sound of another clip or a wrong lag.

Clips with the same sound as an earlier one are dropped.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.extension.native import _sonic
from sonic_nodes.face import LANDMARKS
from sonic_nodes.face_tracker import FaceTracker
from sonic_nodes.lipsync import estimate, fix
from sonic_nodes.media.audio import read_sound, read_sound_at
from sonic_nodes.media.image import read_picture
from sonic_nodes.media.video_reader import timed_frames

ASSETS = Path(__file__).resolve().parent.parent / "sonic_nodes" / "assets"
OUT, SAMPLE = ASSETS / "sync.safetensors", ASSETS / "sample"
COMPONENTS, PAIRS, RIDGE = 12, 10, 0.1
# of the gap between the lips, relative to the components
SHUT_WEIGHT = 0.25
MOUTH_TAPS, MOUTH_STEP = 7, 3
SOUND_TAPS, SOUND_STEP = 11, 4
ROUNDS = 4
OTHERS = 6  # sounds of other clips, per clip
MAX_OWN_LAG_TICKS, SAME_LAG_TICKS = 25, 6
SAME_SOUND_TICKS, SAME_SOUND = 200, 0.9  # correlation: copies reach 0.96 and more, a sentence spoken twice 0.81
DRAFT_MS = -10.0
WINDOWS_S = (4.0, 8.0, 16.0)


def read_clip(path: Path, cache: Path) -> dict:
    cached = cache / f"{path.name}.npz"
    if not cached.exists():
        tracker = FaceTracker(lambda mesh: mesh.ravel())
        for time_s, frame in timed_frames(path):
            tracker.update(frame, time_s)
        sound, start_s = read_sound_at(path)
        track = tracker.track
        np.savez(
            cached,
            times=track.times_s,
            meshes=np.array(track.values),
            scene=track.scene,
            crowded=track.crowded,
            checks=track.checks,
            mel=_sonic.log_mel(sound.mono_16k()),
            sound_s=sound.duration_s,
            start_s=start_s,
        )
    clip = dict(np.load(cached))
    clip["meshes"] = clip["meshes"].reshape(-1, 468, 3)
    return clip | {"name": path.stem, "source": source_of(path.stem)}


def source_of(stem: str) -> str:
    """VExpress contains three collections."""
    for part in ("vasa", "emo_talk"):
        if part in stem:
            return part
    return stem.split("__")[0].replace("-", "")


def rest_of(clips) -> np.ndarray:
    """float32 [64, 3], in units of the distance between the outer corners of the eyes."""
    points = _sonic.lipsync_rigid_points()
    heads = []
    for clip in clips:
        meshes = clip["meshes"][np.isfinite(clip["meshes"][:, 0, 0])]
        heads += [m - m[points].mean(0) for m in meshes[:: max(1, len(meshes) // 5)]]
    corners = [LANDMARKS["eye_left_outer"], LANDMARKS["eye_right_outer"]]
    heads = [head / np.linalg.norm(head[corners[0]] - head[corners[1]]) for head in heads]
    rest = np.mean([head[points] for head in heads], 0)
    for _ in range(3):
        aligned = []
        for head in heads:
            u, s, vt = np.linalg.svd(head[points].T @ rest)
            aligned.append(head[points] @ u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt)
        rest = np.mean(aligned, 0)
    left, right = (list(points).index(i) for i in corners)
    return np.ascontiguousarray(rest / np.linalg.norm(rest[left] - rest[right]), np.float32)


def curves_of(clips, rest) -> None:
    """Adds to each clip: mouth [ticks, 111] and sound [ticks, 26], filtered; valid [ticks], sound_ticks."""
    everything = np.eye(_sonic.lipsync_mouth(clips[0]["meshes"][0], rest).shape[0], dtype=np.float32)
    for clip in clips:
        values = np.array([_sonic.lipsync_mouth(m, rest) for m in clip["meshes"]])
        ticks = estimate.tick_count(clip["times"], float(clip["start_s"]), float(clip["sound_s"]))
        scene = clip["scene"].astype(np.int32)
        mouth, valid = _sonic.lipsync_mouth_curves(
            values, clip["times"], scene, everything, float(clip["start_s"]), ticks
        )
        sound_ticks = min(ticks, int(float(clip["sound_s"]) * 100))
        sound = _sonic.lipsync_sound_curves(np.ascontiguousarray(clip["mel"][:, : max(1, sound_ticks)]), ticks)
        clip |= {
            "values": values,
            "mouth": mouth.T.astype(np.float64),
            "sound": sound.T.astype(np.float64),
            "valid": valid.astype(bool),
            "sound_ticks": sound_ticks,
        }


def basis_of(clips) -> np.ndarray:
    """[111, COMPONENTS + 1]: principal components of the points, and how shut the lips are as it is."""
    total = 0
    for clip in clips:
        seen = clip["mouth"][clip["valid"]][:, :-1]
        covariance = seen.T @ seen
        total = total + covariance / max(np.trace(covariance), 1e-12)
    basis = np.zeros((len(total) + 1, COMPONENTS + 1))
    basis[:-1, :-1] = np.linalg.eigh(total)[1][:, ::-1][:, :COMPONENTS]
    basis[-1, -1] = SHUT_WEIGHT
    return basis


def taps_of(curves, taps, step) -> np.ndarray:
    """[ticks, channels * taps], in the order of csrc/lipsync/curves.h."""
    at = np.clip(np.arange(len(curves))[:, None] + (np.arange(taps) - taps // 2) * step, 0, len(curves) - 1)
    return curves[at].transpose(0, 2, 1).reshape(len(curves), -1)


def moments(clip, basis, scale, lag) -> tuple:
    mouth = clip["mouth"] @ basis
    mouth = mouth / max(np.sqrt((mouth[clip["valid"]] ** 2).sum(1).mean()), 1e-9)
    sound = clip["sound"] / scale
    sound = sound / max(np.sqrt((sound**2).mean()), 1e-9)
    at = np.flatnonzero(clip["valid"])[::2]
    at = at[(at + lag >= 0) & (at + lag < clip["sound_ticks"])]
    y, x = taps_of(mouth, MOUTH_TAPS, MOUTH_STEP)[at], taps_of(sound, SOUND_TAPS, SOUND_STEP)[at + lag]
    y, x = y - y.mean(0), x - x.mean(0)
    return np.array([x.T @ x, y.T @ y, x.T @ y], dtype=object), len(at)


def root_of_inverse(covariance) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors @ np.diag((np.maximum(values, 0) + RIDGE * values.mean()) ** -0.5) @ vectors.T


def correlate(clips, rest, lags) -> dict:
    """The model of these clips, the sound of each taken `lags[name]` ticks later."""
    basis = basis_of(clips)
    sources = [clip["source"] for clip in clips]
    scale = np.sqrt(np.mean([(clip["sound"] ** 2).mean(0) for clip in clips], 0))
    sums, count = 0, 0
    for clip in clips:
        products, ticks = moments(clip, basis, scale, lags.get(clip["name"], 0))
        weight = sources.count(clip["source"]) ** -0.5
        sums, count = sums + weight * products, count + weight * ticks
    xx, yy, xy = (np.asarray(s, np.float64) / count for s in sums)
    wx, wy = root_of_inverse(xx), root_of_inverse(yy)
    u, s, vt = np.linalg.svd(wx @ xy @ wy)
    mouth = (wy @ vt[:PAIRS].T).reshape(COMPONENTS + 1, MOUTH_TAPS, PAIRS)
    sound = (wx @ u[:, :PAIRS]).reshape(26, SOUND_TAPS, PAIRS) / scale[:, None, None]
    arrays = {"rest": rest, "basis": basis, "mouth": mouth, "sound": sound, "correlations": s[:PAIRS]}
    return {key: np.ascontiguousarray(value, np.float32) for key, value in arrays.items()} | {
        "zero_cells": np.zeros(1, np.float32)
    }


def project(clip, model, sound=None) -> estimate.Variates:
    """`sound`: another clip whose sound replaces its own."""
    sound = sound or clip
    ticks = len(clip["valid"])
    mouth = np.ascontiguousarray((clip["mouth"] @ model["basis"]).T, np.float32)
    curves = np.ascontiguousarray(sound["sound"].T[:, :ticks], np.float32)
    sound_ticks = min(ticks, sound["sound_ticks"])
    curves = np.pad(curves, ((0, 0), (0, ticks - curves.shape[1])), mode="edge")
    return estimate.Variates(
        _sonic.lipsync_project(mouth, model["mouth"], MOUTH_STEP),
        _sonic.lipsync_project(curves, model["sound"], SOUND_STEP),
        clip["valid"].astype(np.uint8),
        sound_ticks,
        model["correlations"],
    )


def lag_of(clip, model) -> tuple:
    return _sonic.lipsync_peak(project(clip, model).score(0, len(clip["valid"]))[0])


def fit(clips, rest) -> tuple[dict, dict]:
    """(model, lags in ticks by name) of clips aligned by the model itself, without those that match it at no lag."""
    lags, used = {}, clips
    for _ in range(ROUNDS):
        model = correlate(used, rest, lags)
        found = {clip["name"]: lag_of(clip, model) for clip in clips}
        used = [clip for clip in clips if found[clip["name"]][2] > 0.05 and abs(found[clip["name"]][0]) < 25] or clips
        zero = middle_of_sources(used, found)
        lags = {name: int(round(peak[0] - zero)) for name, peak in found.items()}
    return correlate(used, rest, lags), {clip["name"]: found[clip["name"]][0] - zero for clip in used}


def middle_of_sources(clips, found) -> float:
    sources = sorted({clip["source"] for clip in clips})
    return float(np.median([np.median([found[c["name"]][0] for c in clips if c["source"] == s]) for s in sources]))


def is_copy(clip, other) -> bool:
    """Whether two clips share their sound or a stretch of it: collections overlap."""
    a, b = (c["sound"][: c["sound_ticks"], ::5] for c in (clip, other))
    size = 1 << (len(a) + len(b)).bit_length()
    alike = np.fft.irfft((np.fft.rfft(a, size, axis=0) * np.conj(np.fft.rfft(b, size, axis=0))).sum(1), size)
    ahead = int(np.argmax(alike))
    ahead -= size if ahead >= len(a) else 0
    a, b = a[max(0, ahead) :], b[max(0, -ahead) :]
    both = min(len(a), len(b))
    a, b = a[:both], b[:both]
    return both >= SAME_SOUND_TICKS and float((a * b).sum()) > SAME_SOUND * float(np.linalg.norm(a) * np.linalg.norm(b))


def zero_of(model, rest) -> float:
    """In ticks. Editors shift recordings, so zero comes from clips of the draft engine."""
    sound = read_sound(SAMPLE / "speech.wav")
    data, engine = pipeline.prepare(read_picture(SAMPLE / "portrait.jpg"), sound, min_resolution=512), DraftEngine()
    tracker, count = FaceTracker(lambda mesh: mesh.ravel()), 0
    for chunk in engine.decode(engine.infer(data, 1), data):
        for frame in chunk:
            tracker.update(frame, count / 25)
            count += 1
    track = tracker.track
    clip = {
        "meshes": np.array(track.values).reshape(-1, 468, 3),
        "times": np.array(track.times_s),
        "scene": np.array(track.scene),
        "mel": _sonic.log_mel(sound.mono_16k()),
        "sound_s": sound.duration_s,
        "start_s": 0.0,
    }
    curves_of([clip], rest)
    return lag_of(clip, model)[0] - DRAFT_MS / 10


def held_out(clips, rest):
    """(clip, model fitted without its source) for each clip."""
    for source in sorted({clip["source"] for clip in clips}):
        model, lags = fit([clip for clip in clips if clip["source"] != source], rest)
        yield from ((clip, model) for clip in clips if clip["source"] == source)


def windows_of(clip, seconds):
    at = np.flatnonzero(clip["valid"])
    size = int(seconds * 100)
    if len(at) < 200:
        return []
    first, last = int(at[0]), int(at[-1]) + 1
    return [(begin, begin + size) for begin in range(first, max(first + 1, last - size + 1), size // 2)]


def stretches_of(clips, rest):
    """[{source, own, right, scores, compared}] by models fitted without the clip's source, with its own sound and with
    that of others. `right`: the lag is that of the whole clip. Clips whose own lag is too large may be dubbed and are
    dropped."""
    found, lags = [], {}
    for index, (clip, model) in enumerate(held_out(clips, rest)):
        lags[clip["name"]] = lag_of(clip, model)
        others = [c for c in clips if c["source"] != clip["source"] and c["sound_ticks"] > 300]
        for sound in (None, *(others[(index * 7 + k * 5) % len(others)] for k in range(OTHERS))):
            pair = project(clip, model, sound)
            places = [(0, len(clip["valid"]))] + [
                window for seconds in WINDOWS_S for window in windows_of(clip, seconds)
            ]
            for begin, end in places:
                scores, compared = pair.score(begin, end)
                if compared >= estimate.MIN_TICKS:
                    found.append(
                        {
                            "name": clip["name"],
                            "source": clip["source"],
                            "own": sound is None,
                            "scores": scores,
                            "compared": compared,
                        }
                    )
    zero = middle_of_sources(clips, lags)
    for row in found:
        own_lag = lags[row["name"]][0]
        row["known"] = not row["own"] or abs(own_lag - zero) < MAX_OWN_LAG_TICKS
        row["right"] = (
            row["own"] and row["known"] and abs(_sonic.lipsync_peak(row["scores"])[0] - own_lag) <= SAME_LAG_TICKS
        )
    return [row for row in found if row["known"]]


def detector_of(found) -> np.ndarray:
    """[121, 121]: matched filters for a peak at each lag, in standard deviations of the scores of eight seconds: the
    mean shape of a peak, whitened by the covariance of scores without one."""
    count = estimate.LAGS
    shape, times = np.zeros(2 * count - 1), np.zeros(2 * count - 1)
    for row in found:
        if row["right"]:
            at = np.arange(count) - int(np.argmax(row["scores"])) + count - 1
            shape[at] += row["scores"]
            times[at] += 1
    shape = np.where(times > 30, shape / np.maximum(times, 1), 0)
    shape = (shape + shape[::-1]) / 2
    noise = np.array([row["scores"] * estimate.noise_reduction(row["compared"]) for row in found if not row["own"]])
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    by_distance = np.array([(noise[:, : count - d] * noise[:, d:]).mean() for d in range(count)])
    covariance = by_distance[apart] * (1 - apart / (2 * count))
    peaks = np.array([shape[np.arange(count) - lag + count - 1] for lag in range(count)])
    filters = peaks @ np.linalg.inv(covariance + 0.02 * covariance[0, 0] * np.eye(count))
    return np.ascontiguousarray(filters / np.sqrt((filters * peaks).sum(1, keepdims=True)), np.float32)


def confidence_of(found) -> tuple[np.ndarray, np.ndarray]:
    """(weights, detector), after cross-validation by source."""

    def rows(stretches, detector):
        features = [estimate.score_features(r["scores"], r["compared"], detector) for r in stretches]
        return np.array(features), np.array([r["right"] for r in stretches], float)

    logit = np.zeros(len(found))
    for source in {row["source"] for row in found}:
        others = [row for row in found if row["source"] != source]
        detector = detector_of(others)
        weights = logistic(*rows(others, detector))
        at = [i for i, row in enumerate(found) if row["source"] == source]
        logit[at] = rows([found[i] for i in at], detector)[0] @ weights[:-1] + weights[-1]
    own, right = (np.array([row[key] for row in found]) for key in ("own", "right"))
    confident = logit >= np.log(estimate.FIX_CONFIDENCE / (1 - estimate.FIX_CONFIDENCE))
    print(
        f"confidence, held-out sources: {len(found)} stretches, AUC {area_under(logit, own.astype(float)):.3f}; "
        f"confident: {confident[own].mean():.2f} of own sound, {right[own & confident].mean():.3f} of them right; "
        f"{confident[~own].mean():.4f} of another's"
    )
    detector = detector_of(found)
    return logistic(*rows(found, detector)), detector


def logistic(rows, own, penalty=1.0) -> np.ndarray:
    """[features + 1] by Newton's method; both classes have the same weight."""
    x = np.c_[rows, np.ones(len(rows))]
    share = np.where(own > 0, 0.5 / own.sum(), 0.5 / (1 - own).sum()) * len(own)
    weights, ridge = np.zeros(x.shape[1]), np.diag([penalty] * rows.shape[1] + [1e-6])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        weights -= np.linalg.solve(
            x.T @ (x * (share * p * (1 - p))[:, None]) + ridge, x.T @ (share * (p - own)) + ridge @ weights
        )
    return weights.astype(np.float32)


def area_under(scores, own) -> float:
    order = np.argsort(np.argsort(scores)) + 1
    n1, n0 = own.sum(), (1 - own).sum()
    return float((order[own > 0].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def report(clips, rest) -> None:
    """Prints every clip and its windows of eight seconds, by a model fitted without its source; the effect of `fix`."""
    own, zero = {}, float(estimate.model()["zero_cells"][0])
    for clip, model in held_out(clips, rest):
        for place in [(0, len(clip["valid"])), *windows_of(clip, 8)]:
            scores, compared = project(clip, model).score(*place)
            found = estimate.Estimate(
                (_sonic.lipsync_peak(scores)[0] - zero) * 10, estimate.score_confidence(scores, compared), ""
            )
            own.setdefault(clip["name"], []).append(found)
        print(
            f"{clip['name'][:48]:48s} "
            + " ".join(f"{e.offset_ms:+.0f}({e.confidence:.2f})" for e in own[clip["name"]]),
            flush=True,
        )
    summarise(own)


def summarise(own: dict) -> None:
    whole = [stretches[0] for stretches in own.values()]
    confident = [e for e in whole if e.is_confident]
    windows = [(first, e) for first, *others in own.values() for e in others]
    apart = [abs(e.offset_ms - first.offset_ms) for first, e in windows if e.is_confident and first.is_confident]
    left = [
        abs(shift + fix.decide(replace(e, offset_ms=e.offset_ms + shift), fix.MAX_OFFSET_MS)[0])
        for e in confident
        for shift in (-330, -150, 150, 330)
    ]
    shifts = [abs(fix.decide(e, fix.MAX_OFFSET_MS)[0]) for e in whole]
    offsets = np.array([e.offset_ms for e in confident])
    print(
        f"{len(whole)} clips of held-out sources, {len(confident) / len(whole):.2f} confident; windows within 60 ms of "
        f"their clip where both are confident: {np.mean(np.array(apart) <= 60):.3f} of {len(apart)}"
    )
    print(
        f"own offsets: median {np.median(offsets):+.0f} ms, nine tenths {np.percentile(offsets, 5):+.0f} to "
        f"{np.percentile(offsets, 95):+.0f} ms"
    )
    print(
        f"confident and shifted by 150 and 330 ms: {np.mean(np.array(left) <= 60):.2f} end within 60 ms of where they "
        f"were; unshifted: {sum(m > 80 for m in shifts)} of {len(shifts)} are shifted by more than 80 ms"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, metavar="DIR")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--exclude", nargs="*", default=[], metavar="NAME", help="prefixes of clips to exclude from the fit"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="cross-validate: print each clip's offset by a model fitted without its source; write nothing",
    )
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    paths = [
        p for p in sorted(options.clips.glob("*__*.*")) if not p.name.startswith(tuple(options.exclude) or ("\0",))
    ]
    clips = [read_clip(path, options.cache) for path in paths]
    clips = [clip for clip in clips if np.isfinite(clip["meshes"][:, 0, 0]).mean() > 0.5]
    rest = rest_of(clips)
    curves_of(clips, rest)
    clips = [clip for clip in clips if clip["valid"].sum() >= 200]
    clips = [clip for i, clip in enumerate(clips) if not any(is_copy(clip, other) for other in clips[:i])]
    if options.check:
        report(clips, rest)
        return 0
    confidence, detector = confidence_of(stretches_of(clips, rest))
    model, lags = fit(clips, rest)
    model["zero_cells"] += zero_of(model, rest)
    print(
        f"{len(lags)} of {len(clips)} clips agree with the model; correlations {np.round(model['correlations'], 2)}, "
        f"zero at {float(model['zero_cells'][0]):.2f} ticks"
    )
    save_file(model | {"confidence": confidence, "detector": detector}, OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
