"""Motion smoothing of real clips with injected faults, and of the clips as they are.

    python -m bench.smooth --clips DIR [--frames 100] [--quick] [--alone] [--brief] [--only NAME]

Of every clip the central 512 x 512 px, scaled to that shorter side. Flicker (gain 1.5 %), shake (0.5 px, Lanczos-4) and
then noise (2 levels) are injected, and corrected with the true path and gains (oracle), by `sonic_nodes.smooth`, by
FFmpeg's deflicker, hqdn3d, atadenoise, chains of them and OpenCV's multi-frame NLM. Exits with 1 on a missed limit.
The opening of a mouth that hardly opens is measured poorly: its standard error is printed, and above 5 % it is not
judged. NLM takes seconds per frame, so it is judged on a few; --quick skips it, --alone the other filters too. --brief
prints one line per clip. The summary says how many clips hold each limit, and which ones miss it. FFmpeg runs as a
program with GPL filters (PyAV's library lacks hqdn3d): `ffmpeg`, or that of `pip install imageio-ffmpeg`.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np

from sonic_nodes.face import LANDMARKS, find_faces
from sonic_nodes.smooth.frames import Smoother

SIDE, GAIN, SHAKE_PX, NOISE = 512, 0.015, 0.5, 2.0
MOUTH_DOUBT = 0.05  # standard error above which the opening of the mouth is not judged
CHAINS = [
    "deflicker",
    "hqdn3d",
    "atadenoise",
    "deflicker,hqdn3d",
    "deflicker,atadenoise",
    "atadenoise,hqdn3d",
    "deflicker,atadenoise,hqdn3d",
]


def read_clip(path, count):
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            scale = SIDE / min(frame.width, frame.height)
            size = {"width": round(frame.width * scale), "height": round(frame.height * scale)}
            rgb = frame.reformat(format="rgb24", interpolation="AREA", **size).to_ndarray()
            top, left = (rgb.shape[0] - SIDE) // 4, (rgb.shape[1] - SIDE) // 2
            frames.append(rgb[top : top + SIDE, left : left + SIDE].copy())
            if len(frames) == count:
                break
    return np.stack(frames)


def translated(frame, shift):
    matrix = np.float64([[1, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(
        frame.astype(np.float32), matrix, frame.shape[1::-1], flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
    )


def to_bytes(frame):
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def inject(frames, seed):
    """(the clip with faults, the oracle: that clip corrected with the true path and gains)."""
    random = np.random.default_rng(seed)
    gains, path = 1 + GAIN * random.standard_normal(len(frames)), SHAKE_PX * random.standard_normal((len(frames), 2))
    faults = list(zip(gains, path, strict=True))
    bad = [
        to_bytes(translated(f, p) * g + NOISE * random.standard_normal(f.shape))
        for f, (g, p) in zip(frames, faults, strict=True)
    ]
    oracle = [to_bytes(translated(f / g, -p)) for f, (g, p) in zip(bad, faults, strict=True)]
    return np.stack(bad), np.stack(oracle)


def smooth(frames):
    smoother = Smoother()
    return np.stack(list(smoother.run(frames))), smoother.summary()


def ffmpeg_program():
    """Path of an FFmpeg program with all filters."""
    try:
        import imageio_ffmpeg

        bundled = [imageio_ffmpeg.get_ffmpeg_exe()]
    except (ImportError, RuntimeError):
        bundled = []
    for path in [*filter(None, [shutil.which("ffmpeg")]), *bundled]:
        known = subprocess.run(
            [path, "-hide_banner", "-filters"], check=False, capture_output=True, text=True
        ).stdout.split()
        if {"deflicker", "hqdn3d", "atadenoise"} <= set(known):
            return path
    sys.exit(
        "Install FFmpeg with its GPL filters, or `pip install imageio-ffmpeg`: "
        "no program with deflicker, hqdn3d and atadenoise was found."
    )


def ffmpeg(program, frames, chain):
    """The frames through a chain of filters, in 4:4:4."""
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    filters = f"format=yuv444p,{chain},format=rgb24"
    command = [program, "-v", "error", *raw, "-s", f"{SIDE}x{SIDE}", "-r", "25", "-i", "-", "-vf", filters, *raw, "-"]
    out = subprocess.run(command, input=frames.tobytes(), capture_output=True, check=True).stdout
    return np.frombuffer(out, np.uint8).reshape(frames.shape)


def nlm(frames, indices):
    return np.stack([cv2.fastNlMeansDenoisingColoredMulti(list(frames), int(i), 5, None, 3, 3, 7, 21) for i in indices])


def psnr(a, b):
    errors = [cv2.norm(x, y, cv2.NORM_L2SQR) / x.size for x, y in zip(a, b, strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-4))))


def ssim_pair(a, b):
    """Wang et al. 2004, on luma, Gaussian window of sigma 1.5 px."""
    a, b = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32) for x in (a, b))
    blur = lambda x: cv2.GaussianBlur(x, (11, 11), 1.5)  # noqa: E731
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))).mean())


def ssim(a, b, every=4):
    return float(np.mean([ssim_pair(x, y) for x, y in zip(a[::every], b[::every], strict=True)]))


def block_means(frames):
    return np.stack(
        [
            cv2.resize(f.astype(np.float32), (SIDE // 16, SIDE // 16), interpolation=cv2.INTER_AREA).mean(-1)
            for f in frames
        ]
    )


def flicker_energy(frames, static):
    return float(np.mean(np.diff(block_means(frames), axis=0)[:, static] ** 2))


def static_blocks(clean):
    """Blocks of 16 x 16 px that are static in the clean clip: the fifth with the least change, at least those below a
    third of a level."""
    change = np.sqrt(np.mean(np.diff(block_means(clean), axis=0) ** 2, axis=0))
    return change <= max(1 / 3, float(np.quantile(change, 0.2)))


def laplacian_energy(frames, masks):
    """Mean square of the Laplacian of the green channel within the mask of each frame."""
    return float(
        np.mean(
            [
                np.mean(cv2.Laplacian(f[..., 1].astype(np.float32), -1)[m] ** 2)
                for f, m in zip(frames, masks, strict=True)
            ]
        )
    )


def hull_mask(meshes, points):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for mesh in meshes:
        cv2.fillConvexPoly(mask, cv2.convexHull(mesh[points, :2].round().astype(np.int32)), 1)
    return mask.astype(bool)


def meshes_of(frames):
    return [[face.mesh for face in find_faces(frame, thorough=False)[:1]] for frame in frames]


def openings(meshes):
    """Distance between the inner lips, relative to the height of the face; NaN without a face."""

    def between(mesh, a, b):
        return np.linalg.norm(mesh[LANDMARKS[a], :2] - mesh[LANDMARKS[b], :2])

    return np.array(
        [between(m[0], "lip_upper", "lip_lower") / between(m[0], "forehead", "chin") if m else np.nan for m in meshes]
    )


def slope(out, clean):
    """Least-squares slope of the openings of `out` over those of `clean`, and its standard error."""
    both = np.isfinite(out) & np.isfinite(clean)
    x, y = clean[both] - clean[both].mean(), out[both] - out[both].mean()
    value, squares = float((x * y).sum() / (x * x).sum()), float((x * x).sum())
    return value, float(np.sqrt(((y - value * x) ** 2).sum() / max(1, both.sum() - 2) / squares))


def masked_psnr(a, b, masks):
    errors = [np.mean((x.astype(np.float32)[m] - y[m]) ** 2) for x, y, m in zip(a, b, masks, strict=True) if m.any()]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-4)))) if errors else float("inf")


class Report:
    """Prints the limits of each clip and counts the clips in which each holds."""

    def __init__(self, brief):
        self.brief, self.clips, self.clip = brief, 0, ""
        self.held, self.missed = {}, {}

    def begin(self, clip, count):
        self.clip, self.clips = clip, self.clips + 1
        print(f"{clip}: {count} frames", end="" if self.brief else "\n", flush=True)

    def note(self, text):
        if not self.brief:
            print(f"  {text}")

    def line(self, what, value, limit, holds, kind=None):
        """`kind`: the name of the limit, where `what` has more detail."""
        kind = kind or what
        self.held[kind] = self.held.get(kind, 0) + holds
        self.missed.setdefault(kind, []).extend([] if holds else [f"{self.clip} {value}"])
        if not self.brief:
            print(f"  {what:44s} {value:>10s}   {limit:>16s}   {'ok' if holds else 'MISSED'}", flush=True)
        elif not holds:
            print(f"; {what} {value}, {limit}", end="", flush=True)

    def end(self):
        if self.brief:
            print(flush=True)

    def summary(self):
        """Prints it; how many limits were missed."""
        print(f"Of {self.clips} clips:")
        for kind, missed in self.missed.items():
            judged = self.held[kind] + len(missed)
            print(
                f"  {kind:44s} holds in {self.held[kind]} of {judged}"
                + (": but " + ", ".join(missed) if missed else "")
            )
        return sum(map(len, self.missed.values()))


def judge_injected(report, clean, seed, others, quick):
    bad, oracle = inject(clean, seed)
    started = time.perf_counter()
    ours, summary = smooth(bad)
    seconds = time.perf_counter() - started
    report.note(f"{summary} {len(bad) / seconds:.0f} frames/s")
    for name, measure in (("PSNR", psnr), ("SSIM", ssim)):
        base, best, value = measure(bad, clean), measure(oracle, clean), measure(ours, clean)
        report.note(f"{name}: injected {base:.4f}, oracle {best:.4f}, ours {value:.4f}")
        share = (value - base) / (best - base)
        report.line(f"{name} gained, of the oracle's", f"{100 * share:.0f} %", ">= 60 %", share >= 0.6)
    if others:
        judge_others(report, clean, bad, ours, others, quick)
    judge_details(report, clean, bad, oracle, ours)


def judge_others(report, clean, bad, ours, program, quick):
    theirs = {chain: ffmpeg(program, bad, chain) for chain in CHAINS}
    for name, measure in (("PSNR", psnr), ("SSIM", ssim)):
        values, value = {chain: measure(frames, clean) for chain, frames in theirs.items()}, measure(ours, clean)
        winner = max(values, key=values.get)
        report.line(
            f"{name} over {winner}",
            f"{value - values[winner]:+.4f}",
            "> 0",
            value > values[winner],
            f"{name} over FFmpeg's best",
        )
    if quick:
        return
    at = np.linspace(2, len(bad) - 3, 4).astype(int)
    averaged = nlm(bad, at)
    for name, measure in (("PSNR", psnr), ("SSIM", lambda a, b: ssim(a, b, 1))):
        ahead = measure(ours[at], clean[at]) - measure(averaged, clean[at])
        report.line(f"{name} over multi-frame NLM", f"{ahead:+.4f}", "> 0", ahead > 0)


def judge_details(report, clean, bad, oracle, ours):
    static = static_blocks(clean)
    own = flicker_energy(clean, static)
    left = max(0.0, flicker_energy(ours, static) - own) / (flicker_energy(bad, static) - own)
    report.line("flicker energy in static regions", f"-{100 * (1 - left):.0f} %", ">= 70 % less", left <= 0.3)
    meshes = meshes_of(clean)
    opening, seen = openings(meshes), [i for i, m in enumerate(meshes) if m]
    if len(seen) < 8:
        report.note("no face: mouth and face not judged")
        return
    (value, error), (best, best_error) = (slope(openings(meshes_of(frames)), opening) for frames in (ours, oracle))
    kept, doubt = value / best, float(np.hypot(error, best_error)) / best
    if 0 <= doubt < MOUTH_DOUBT:
        report.line(
            "mouth opening kept, of the oracle's", f"{100 * kept:.1f} %", f">= 98 %, +-{100 * doubt:.1f}", kept >= 0.98
        )
    else:
        report.note("the mouth hardly opens: not judged")
    masks = [hull_mask(meshes[i], np.arange(468)) for i in seen]
    ratio = laplacian_energy(ours[seen], masks) / laplacian_energy(oracle[seen], masks)
    report.line("Laplacian energy of the face, of the oracle's", f"{ratio:.3f}", "0.95 to 1.05", 0.95 <= ratio <= 1.05)


def judge_untouched(report, clean):
    ours, summary = smooth(clean)
    report.note(f"as it is: {summary}")
    meshes = meshes_of(clean[::4])
    lips, eyes = LANDMARKS["lips_outer"], (LANDMARKS["eye_left"], LANDMARKS["eye_right"])
    parts = [hull_mask(m, lips) | hull_mask(m, eyes[0]) | hull_mask(m, eyes[1]) for m in meshes]
    whole = [np.ones((SIDE, SIDE), bool)] * len(clean)
    value, inner = psnr(ours, clean), masked_psnr(ours[::4], clean[::4], parts)
    ratio = laplacian_energy(ours, whole) / laplacian_energy(clean, whole)
    report.line("untouched: PSNR to the clip", f"{value:.1f} dB", ">= 42 dB", value >= 42)
    report.line("untouched: mouth and eyes", f"{inner:.1f} dB", ">= 45 dB", inner >= 45)
    report.line("untouched: Laplacian energy", f"{100 * ratio:.1f} %", ">= 97 %", ratio >= 0.97)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, metavar="DIR", help="folder of clean real clips (*.mp4)")
    parser.add_argument("--frames", type=int, default=100, metavar="N", help="frames of each clip (100); 0 for all")
    parser.add_argument("--quick", action="store_true", help="40 frames of each clip, without NLM")
    parser.add_argument("--alone", action="store_true", help="without the other filters")
    parser.add_argument("--brief", action="store_true", help="one line per clip, with the limits it misses")
    parser.add_argument(
        "--only", metavar="NAME", help="only this clip of the folder, with the faults it gets among the others"
    )
    options = parser.parse_args()
    program = None if options.alone else ffmpeg_program()
    paths, report = sorted(options.clips.glob("*.mp4")), Report(options.brief)
    if not paths:
        sys.exit(f"Choose a folder with clips: there is no .mp4 in {options.clips}.")
    for seed, path in enumerate(paths):
        if options.only not in (None, path.name):
            continue
        try:
            clean = read_clip(path, 40 if options.quick else options.frames)
        except (av.error.FFmpegError, ValueError) as error:
            print(f"{path.name}: skipped, it cannot be read ({error}).")
            continue
        report.begin(path.name, len(clean))
        judge_injected(report, clean, seed, program, options.quick)
        judge_untouched(report, clean)
        report.end()
    missed = report.summary()
    print(f"{missed} limits missed." if missed else "Every limit holds.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
