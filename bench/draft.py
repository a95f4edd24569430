"""The draft engine's mouth against its commands and the recording, measured by an independent face mesh.

    python -m bench.draft --photos DIR --speech FILE... [--videos FILE...] [--out DIR] [--frames N]

Every portrait speaks every recording through the package's own pipeline; the rendered frames are measured by an
independent mesh (mesh_reader.py: other code, other runtime). Portraits: the sample; in DIR p_*, kodim04, kodim15; the
first frame of each video (default: those in DIR/../talking). Without arguments the sample speaks its two recordings.

Prints one line per clip, then each target with the measured value. Exit status 0 when all are met:
  command    r of measured and commanded opening: median >= 0.90, none under 0.65
  envelope   r of measured opening and loudness (RMS a frame, Hann over 5 frames): median >= 0.55, none under 0.4; best
             lag within a frame
  silence    mean opening in frames 200 ms or more inside silence, over the 95th percentile: <= 0.10 (negative: more
             shut than the portrait; the reader's noise on a still image is 0.005 face heights, which shows where few
             frames are silent)
  p95        95th percentile of the measured opening: >= 0.04 face heights
  width      |r| of opening and width: <= 0.8
  closures   lips.wav: p, m and b during which the opening falls to 20 % of the 95th percentile: >= 80 %
  outside    with sway 0, outside the face's hull grown by 15 %: no channel of any pixel differs by more than 1 level
Silence: frames with an RMS below 5 % of the recording's 95th percentile, or below twice its 5th (at most 10 %).
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine, DraftSettings
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.image import read_picture
from tests.oracles.face_oracle import Oracle
from tests.oracles.mesh_reader import MeshReader

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
FPS, OPENING, MAX_LAG = 25, 0, 5
INSIDE_FRAMES = 5  # 200 ms
PHOTOS = ("p_*", "kodim04.*", "kodim15.*")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm")
SHEET_TILES, TILE_PX = 10, 256


def main():
    options = parse()
    oracle, portraits = Oracle(), find_portraits(options)
    started, results = time.perf_counter(), []
    print(f"{len(portraits)} portraits, {len(options.speech)} recordings\n")
    print(f"{'portrait':16s} {'recording':20s} frames command envelope  lag silence    p95  width closures outside")
    for name, picture in portraits:
        for speech in options.speech:
            row = measure_clip(oracle, name, picture, speech, options)
            results.append(row)
            print(line_of(row), flush=True)
    print(f"\n{sum(r['frames'] for r in results)} frames in {time.perf_counter() - started:.0f} s")
    return 0 if judge(results) else 1


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, metavar="DIR", help="folder with portraits")
    parser.add_argument(
        "--speech", type=Path, nargs="+", metavar="FILE", default=[SAMPLE / "speech.wav", SAMPLE / "lips.wav"]
    )
    parser.add_argument(
        "--videos", type=Path, nargs="*", metavar="FILE", help="videos whose first frames are portraits too"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where contact sheets and numbers are written")
    parser.add_argument(
        "--frames", type=int, default=0, metavar="N", help="read only the first N frames of each clip (0: all)"
    )
    parser.add_argument("--min-resolution", type=int, default=512, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.videos is None:
        folder = options.photos / ".." / "talking" if options.photos else None
        options.videos = sorted(p for p in folder.iterdir() if p.suffix in VIDEOS) if folder and folder.is_dir() else []
    return options


def find_portraits(options):
    """[(name, picture u8 [H, W, 3])]"""
    files = sorted({p for pattern in PHOTOS for p in options.photos.glob(pattern)}) if options.photos else []
    if options.photos and not files:
        raise SystemExit(f"Choose a folder with p_*, kodim04 or kodim15: {options.photos} has none of them.")
    portraits = [("sample", read_picture(SAMPLE / "portrait.jpg"))]
    portraits += [(file.stem, read_picture(file)) for file in files]
    return portraits + [(file.stem, first_frame(file)) for file in options.videos]


def first_frame(path):
    with av.open(str(path)) as video:
        return next(video.decode(video=0)).to_ndarray(format="rgb24")


def measure_clip(oracle, name, picture, speech, options):
    data = pipeline.prepare(picture, read_sound(speech), min_resolution=options.min_resolution)
    engine = DraftEngine()
    latent = engine.infer(data, options.seed)
    count = min(options.frames or data["frames"], data["frames"])
    reader, mouths, sheet = MeshReader(oracle, data["image"]), [], Sheet(latent["sonic"]["codes"][:count])
    for frame in stream(engine, latent, data, count):
        sheet.see(len(mouths), frame)
        mouths.append(reader.read(frame))
    measured, width = (np.array(mouths) - reader.rest).T
    row = {"portrait": name, "recording": speech.name, "frames": count}
    row |= compare(
        measured, width, latent["sonic"]["codes"][:count, OPENING], frame_rms(data["audio"], data["frames"])[:count]
    )
    row["closures"] = closures(measured, speech)
    row["outside"] = outside_difference(engine, data, options.seed)
    if options.out:
        save(options.out, row, sheet, measured, width, latent["sonic"]["codes"][:count])
    return row


def stream(engine, latent, data, count):
    """The first `count` frames."""
    for chunk in engine.decode(latent, data):
        for frame in chunk:
            if count <= 0:
                return
            yield frame
            count -= 1


def frame_rms(audio, frames):
    padded = np.zeros(frames * 640, np.float64)
    padded[: min(len(audio), len(padded))] = audio[: len(padded)]
    return np.sqrt((padded.reshape(frames, 640) ** 2).mean(1))


def correlation(x, y):
    return float(np.corrcoef(x, y)[0, 1]) if np.std(x) > 0 and np.std(y) > 0 else 0.0


def compare(opening, width, commanded, rms):
    window = np.hanning(7)[1:-1]
    loud = np.convolve(rms, window / window.sum(), "same")
    n = len(opening)
    lags = {
        k: correlation(opening[max(0, k) : n + min(0, k)], loud[max(0, -k) : n + min(0, -k)])
        for k in range(-MAX_LAG, MAX_LAG + 1)
    }
    p95, quiet = float(np.percentile(opening, 95)), inside_silence(rms)
    return {
        "command": correlation(opening, commanded),
        "envelope": lags[0],
        "lag": max(lags, key=lags.get),
        "silence": float(opening[quiet].mean() / p95) if quiet.any() else None,
        "p95": p95,
        "width": correlation(opening, width),
    }


def inside_silence(rms):
    """Frames with nothing but silence within 200 ms."""
    loud = np.percentile(rms, 95)
    sounding = rms >= max(0.05 * loud, min(2 * np.percentile(rms, 5), 0.1 * loud))
    return np.convolve(np.pad(sounding, INSIDE_FRAMES), np.ones(2 * INSIDE_FRAMES + 1), "valid") == 0


def closures(opening, speech):
    """Share of p, m and b in the sample's lips.wav during which the lips meet; None for other recordings."""
    if speech.read_bytes() != (SAMPLE / "lips.wav").read_bytes():
        return None
    phones = json.loads((ROOT / "tests" / "draft" / "lips_phones.json").read_text())["files"]["lips.wav"]["phones"]
    limit, met = 0.2 * np.percentile(opening, 95), []
    for phone, begin, end in phones:
        frames = opening[int(begin * FPS) : math.ceil(end * FPS)]
        if phone in ("p", "m", "b") and len(frames):
            met.append(frames.min() <= limit)
    return float(np.mean(met))


def outside_difference(engine, data, seed):
    """Largest difference in levels outside the grown hull, over every tenth frame of the clip with sway 0 and the
    widest one."""
    latent = engine.infer(data, seed, DraftSettings(sway=0))
    codes = latent["sonic"]["codes"]
    chosen = np.unique(np.r_[np.arange(0, len(codes), 10), codes[:, OPENING].argmax()])
    some = {**data, "frames": len(chosen)}
    latent["sonic"] = {**latent["sonic"], "codes": np.ascontiguousarray(codes[chosen])}
    outside = ~head_mask(data["mesh"], data["image"].shape)
    rest = data["image"][outside].astype(np.int16)
    if not len(rest):
        return 0
    return max(
        int(np.abs(frame[outside].astype(np.int16) - rest).max()) for frame in stream(engine, latent, some, len(chosen))
    )


def head_mask(mesh, shape):
    hull = cv2.convexHull(mesh[:, :2].astype(np.float32))[:, 0]
    centre = (hull.min(0) + hull.max(0)) / 2
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(centre + 1.15 * (hull - centre)).astype(np.int32), 1)
    return mask > 0


class Sheet:
    """Contact sheet of frames from shut to wide open, without holding the clip in memory."""

    def __init__(self, codes):
        order = np.argsort(codes[:, OPENING])
        self.chosen = {int(order[round(i)]) for i in np.linspace(0, len(order) - 1, SHEET_TILES)}
        self.chosen |= {int(codes[:, column].argmax()) for column in (1, 2, 3, 4)} | {int(codes[:, 1].argmin())}
        self.codes, self.tiles = codes, {}

    def see(self, index, frame):
        if index in self.chosen:
            scale = TILE_PX / max(frame.shape[:2])
            self.tiles[index] = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    def save(self, path):
        tiles = [self.tiles[i] for i in sorted(self.tiles, key=lambda i: self.codes[i, OPENING])]
        rows = [np.hstack(tiles[i : i + 5]) for i in range(0, len(tiles) - len(tiles) % 5, 5)]
        Image.fromarray(np.vstack(rows)).save(path, quality=92)


def save(folder, row, sheet, opening, width, codes):
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{row['portrait']}-{Path(row['recording']).stem}"
    sheet.save(folder / f"{stem}.jpg")
    np.savez(folder / f"{stem}.npz", opening=opening, width=width, codes=codes)
    with open(folder / "draft.jsonl", "a") as file:
        file.write(json.dumps(row) + "\n")


def line_of(row):
    silence = "      -" if row["silence"] is None else f"{row['silence']:+7.3f}"
    met = "       -" if row["closures"] is None else f"{row['closures']:8.0%}"
    return (
        f"{row['portrait'][:16]:16s} {row['recording'][:20]:20s} {row['frames']:6d} "
        f"{row['command']:7.2f} {row['envelope']:8.2f} {row['lag']:+4d} {silence} {row['p95']:6.3f} "
        f"{row['width']:+6.2f} {met} {row['outside']:7d}"
    )


def judge(results):
    """Print every target; true when all hold."""

    def values(key):
        return np.array([r[key] for r in results if r[key] is not None])

    targets = [
        ("command, median", np.median(values("command")), ">=", 0.90),
        ("command, least", values("command").min(), ">=", 0.65),
        ("envelope, median", np.median(values("envelope")), ">=", 0.55),
        ("envelope, least", values("envelope").min(), ">=", 0.40),
        ("lag, largest", np.abs(values("lag")).max(), "<=", 1),
        ("p95, least", values("p95").min(), ">=", 0.04),
        ("width, largest |r|", np.abs(values("width")).max(), "<=", 0.80),
        ("outside, largest", values("outside").max(), "<=", 1),
    ]
    if len(values("silence")):
        targets.append(("silence, largest", values("silence").max(), "<=", 0.10))
    if len(values("closures")):
        targets.append(("closures, least", values("closures").min(), ">=", 0.80))
    held = [value >= limit if sign == ">=" else value <= limit for _, value, sign, limit in targets]
    for (name, value, sign, limit), holds in zip(targets, held, strict=True):
        print(f"{'held  ' if holds else 'MISSED'} {name:20s} {value:7.3f} {sign} {limit}")
    return all(held)


if __name__ == "__main__":
    sys.exit(main())
