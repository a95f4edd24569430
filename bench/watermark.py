"""The invisible watermark: what it withstands, what it costs, how often it is seen where there is none.

    python -m bench.watermark --clips FOLDER [--photos PICTURE ... --speech SOUND] [--peer] [--unmarked 10000]

Clips are the videos of --clips, reduced to a shorter side of 512 px at most, and the pictures of --photos, animated by
the draft engine. Of each, windows of 4 s are marked and coded by x264 (preset medium): CRF 28; CRF 23 after scaling by
.5, .75 and 1.5, after a crop to 90 % of each side at two places, and at 30 instead of 25 frames a second. A row says
how many windows gave back the whole payload, with the least value of the pilots, and the PSNR of the marked frames.
--every N: each clip is coded once more as a whole, CRF 28, and a window of 4 s is read every N frames.
--peer: invisible-watermark's dwtDctSvd hides the same 32 bits in every tenth frame of a window; printed are the shares
of bits that it reads from single frames, on average (`pip install --target DIR --no-deps invisible-watermark
pywavelets`, and DIR in PYTHONPATH). --unmarked: windows without a mark, of random clips, times, crops, sizes and
mirrorings, each of every eighth frame of 4 s, searched in full. Exits with 1 when any is taken for marked, or when any
marked window is not read.
"""

import argparse
import io
import sys
import time
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.media import audio, image
from sonic_nodes.media.video_reader import timed_frames
from sonic_nodes.watermark.marker import Marker
from sonic_nodes.watermark.reader import Reader

PAYLOAD, SIDE, WINDOW = 0xC0FFEE42, 512, 100
PEER_BITS = [PAYLOAD >> bit & 1 for bit in range(32)]


def film(path, count):
    """The first frames of a video, uint8 [n, H, W, 3] with even sides."""
    frames = []
    for _, frame in islice(timed_frames(path), count):
        scale = min(1.0, SIDE / min(frame.shape[:2]))
        size = [round(side * scale) // 2 * 2 for side in frame.shape[1::-1]]
        frames.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    return np.stack(frames)


def animated(path, sound, seconds):
    data = pipeline.prepare(image.load_picture(path).pixels, sound, crop="off", duration=seconds, min_resolution=SIDE)
    engine = DraftEngine.open()
    frames = np.concatenate(list(engine.decode(engine.infer(data, 0), data)))
    return frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]


def sources(options):
    """(name, frames) of every clip that is long enough."""
    count = WINDOW * options.windows + 5
    for path in sorted(Path(options.clips).glob("*.mp4")):
        frames = film(path, count)
        if len(frames) >= WINDOW:
            yield path.stem, frames
    if options.photos:
        sound = audio.read_sound(options.speech)
        for path in map(Path, options.photos):
            yield path.stem, animated(path, sound, count / 25)


def coded(frames, crf, size=None, rate=25, shown=25):
    """The frames through x264 at `size`, (width, height), repeated or dropped from 25 a second to `rate`."""
    buffer = io.BytesIO()
    width, height = size or frames.shape[2:0:-1]
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(len(frames) * rate // shown):
            frame = frames[i * shown // rate]
            if size:
                frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if width < frame.shape[1] else 2)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def cropped(frames, top, left):
    """90 % of each side; top and left: share of the rest that is cut there."""
    height, width = (round(side * 0.9) // 2 * 2 for side in frames.shape[1:3])
    y, x = round((frames.shape[1] - height) * top), round((frames.shape[2] - width) * left)
    return frames[:, y : y + height, x : x + width]


def even(frames, scale):
    return tuple(round(side * scale / 2) * 2 for side in frames.shape[2:0:-1])


ATTACKS = {
    "CRF 28": lambda f: coded(f, 28),
    "x 0.5": lambda f: coded(f, 23, even(f, 0.5)),
    "x 0.75": lambda f: coded(f, 23, even(f, 0.75)),
    "x 1.5": lambda f: coded(f, 23, even(f, 1.5)),
    "crop": lambda f: coded(cropped(f, 0.5, 0.3), 23),
    "corner": lambda f: coded(cropped(f, 1.0, 1.0), 23),
    "30 fps": lambda f: coded(f, 23, rate=30),
}


def read(frames):
    reader = Reader()
    for frame in frames:
        reader.add(frame)
    return reader.read(search=True)


def psnr_db(a, b):
    return float(
        10 * np.log10(255**2 / np.mean([np.mean((x.astype(np.float32) - y) ** 2) for x, y in zip(a, b, strict=True)]))
    )


def judge(frames, windows):
    """({attack: [read or not]}, {attack: least pilots}, PSNR in dB)"""
    marker, found, pilots = Marker(PAYLOAD), {name: [] for name in ATTACKS}, dict.fromkeys(ATTACKS, 1e9)
    marked = marker.apply(frames)
    for start in range(0, min(windows * WINDOW, len(frames) - WINDOW + 1), WINDOW):
        for name, attack in ATTACKS.items():
            result = read(attack(marked[start : start + WINDOW])[: WINDOW * 6 // 5])
            found[name].append(result["found"] and result["payload"] == PAYLOAD)
            pilots[name] = min(pilots[name], result["pilots"])
    return found, pilots, psnr_db(frames, marked)


def anywhere(frames, every):
    """([read or not], least pilots) of windows, one every `every` frames, of the clip coded as a whole."""
    shown = coded(Marker(PAYLOAD).apply(frames), 28)
    results = [read(shown[start : start + WINDOW]) for start in range(0, len(shown) - WINDOW + 1, every)]
    return [r["found"] and r["payload"] == PAYLOAD for r in results], min(r["pilots"] for r in results)


def speed():
    """(frames a second, CPU ms a frame) at 512 x 512, with the faces looked for, as in a render."""
    frames = np.random.default_rng(0).integers(0, 255, (WINDOW, SIDE, SIDE, 3), np.uint8)
    marker = Marker(PAYLOAD)
    marker.apply(frames[:2])
    start, cpu = time.perf_counter(), time.process_time()
    marker.apply(frames)
    return WINDOW / (time.perf_counter() - start), 1e3 * (time.process_time() - cpu) / WINDOW


def peer_row(frames):
    """(seconds a frame, {attack: share of bits}) of dwtDctSvd."""
    from imwatermark.dwtDctSvd import EmbedDwtDctSvd

    start, marked = time.perf_counter(), []
    for frame in frames[:WINDOW:10]:
        marked.append(EmbedDwtDctSvd(PEER_BITS, wmLen=32).encode(frame[..., ::-1].copy())[..., ::-1])
    seconds, marked = (time.perf_counter() - start) / len(marked), np.stack(marked).astype(np.uint8)
    codings = {f"CRF {crf}": (lambda f, crf=crf: coded(f, crf)) for crf in (18, 23, 28)}
    shares = {}
    for name, attack in (codings | {name: ATTACKS[name] for name in ("x 0.5", "x 1.5", "crop")}).items():
        read = [EmbedDwtDctSvd([], wmLen=32).decode(f[..., ::-1].copy()) for f in attack(marked)]
        bits = np.array([np.asarray(values).reshape(-1)[:32] for values in read]) >= 0.5
        shares[name] = float(np.mean(bits == np.array(PEER_BITS, bool)))
    return seconds, shares


def unmarked(clips, count, seed=1):
    """How many of `count` unmarked windows are taken for marked, and the pilots' largest values."""
    random, taken, pilots, start = np.random.default_rng(seed), 0, [], time.perf_counter()
    for done in range(count):
        frames = clips[random.integers(len(clips))]
        first = random.integers(max(1, len(frames) - WINDOW + 1))
        share = random.uniform(0.6, 1.0, 2)
        height, width = (int(side * part) for side, part in zip(frames.shape[1:3], share, strict=True))
        y, x = (random.integers(full - part + 1) for full, part in zip(frames.shape[1:3], (height, width), strict=True))
        scale, flip = random.uniform(0.5, 1.2), random.integers(2)
        reader = Reader()
        for frame in frames[first : first + WINDOW : 8]:
            cut = frame[y : y + height, x : x + width][:, :: -1 if flip else 1]
            size = (max(2, int(width * scale)), max(2, int(height * scale)))
            reader.add(cv2.resize(np.ascontiguousarray(cut), size, interpolation=cv2.INTER_LINEAR))
        result = reader.read(search=True)
        taken += result["found"]
        pilots.append(result["pilots"])
        if (done + 1) % 500 == 0:
            print(f"{done + 1} unmarked: {taken} taken, {time.perf_counter() - start:.0f} s", flush=True)
    return taken, sorted(pilots)[-3:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", required=True)
    parser.add_argument("--photos", nargs="*", default=[])
    parser.add_argument("--speech", help="recording for --photos")
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--every", type=int, default=0, help="frames between the windows of a clip coded as a whole")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--unmarked", type=int, default=0)
    parser.add_argument("--only-unmarked", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    missed, kept = 0, []
    for name, frames in sources(options):
        kept.append(frames)
        if options.only_unmarked:
            continue
        found, pilots, psnr = judge(frames, options.windows)
        missed += sum(not ok for oks in found.values() for ok in oks)
        cells = "  ".join(f"{attack} {sum(oks)}/{len(oks)} ({pilots[attack]:.1f})" for attack, oks in found.items())
        print(f"{name} {frames.shape[2]}x{frames.shape[1]}  PSNR {psnr:.1f} dB  {cells}", flush=True)
        if options.every:
            whole, least = anywhere(frames, options.every)
            missed += whole.count(False)
            print(f"    a window every {options.every} frames: {sum(whole)}/{len(whole)} ({least:.1f})", flush=True)
        if options.peer:
            seconds, shares = peer_row(frames)
            bits = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
            print(f"    dwtDctSvd {seconds:.2f} s a frame; bits read: {bits}", flush=True)
    if not options.only_unmarked:
        fps, cpu_ms = speed()
        print(f"{missed} windows missed; {fps:.0f} frames a second at {SIDE}x{SIDE}, {cpu_ms:.1f} ms of CPU time each")
    taken, largest = unmarked(kept, options.unmarked) if options.unmarked else (0, [])
    if options.unmarked:
        # Clopper-Pearson: with none of n, p < 1 - 0.05^(1/n) at 95 %
        bound = 1 - 0.05 ** (1 / options.unmarked)
        print(f"{taken} of {options.unmarked} unmarked taken; with 0, below {bound:.1e} at 95 % (pilots {largest})")
    return 1 if missed or taken else 0


if __name__ == "__main__":
    sys.exit(main())
