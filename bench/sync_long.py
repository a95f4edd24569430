"""Memory of `sonic sync` on a long clip, and its time on a large one.

    python -m bench.sync_long [--frames 1000 10000] [--seconds 20]

The sample portrait speaks the sample recording (draft engine), over and over: at 512x512 in each of the given lengths,
whose peak memory is measured in a process of its own (Linux), and at 1920x1080 for the time. Ends with 0 when the
longest takes at most 8 KiB a frame more than the shortest (its sound at 16000 Hz is 2.5 KiB a frame, the curves of
mouth and sound are the rest; one picture would be 768 KiB) and the large clip less than its own length. The clips lie
in a temporary folder.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from sonic_nodes import pipeline
from sonic_nodes.engines.draft import DraftEngine
from sonic_nodes.media.audio import read_sound
from sonic_nodes.media.image import read_picture

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
FPS, KIB_A_FRAME = 25, 8.0


def spoken():
    """(frames uint8 [n, 512, 512, 3] as a list, sound of the same length)."""
    sound = read_sound(SAMPLE / "speech.wav")
    data, engine = pipeline.prepare(read_picture(SAMPLE / "portrait.jpg"), sound, min_resolution=512), DraftEngine()
    frames = [np.array(frame[:512, :512]) for chunk in engine.decode(engine.infer(data, 1), data) for frame in chunk]
    return frames, np.resize(sound.mono(), round(len(frames) * sound.rate / FPS)), sound.rate


def write(path, frames, samples, rate, count):
    """`count` frames and their sound, the given ones over and over."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "24"})
        video.height, video.width, video.pix_fmt = *frames[0].shape[:2], "yuv420p"
        audio = container.add_stream("aac", rate=rate, layout="mono")
        piece = rate // FPS
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(frames[i % len(frames)], format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(video.encode(frame))
            at = i % len(frames) * piece
            part = np.ascontiguousarray(samples[None, at : at + piece], np.float32)
            heard = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            heard.sample_rate, heard.time_base, heard.pts = rate, Fraction(1, rate), i * piece
            container.mux(audio.encode(heard))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def run(path):
    """(seconds, peak memory in MiB, what was printed) of `sonic sync`."""
    began = time.perf_counter()
    code = (
        "import sys; from sonic_nodes.commands.cli import main; ended = main(sys.argv[1:]); "
        "print(next(line for line in open('/proc/self/status') if 'VmHWM' in line)); sys.exit(ended)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, "sync", str(path), "--json"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    said, peak = told.stdout.strip().rsplit("\n", 1)
    return time.perf_counter() - began, int(peak.split()[1]) / 1024, said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the 1920x1080 clip; 0 leaves it out")
    options = parser.parse_args()
    frames, samples, rate = spoken()
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for count in options.frames:
            write(path, frames, samples, rate, count)
            seconds, peak, said = run(path)
            peaks.append(peak)
            print(
                f"{count:6d} frames at 512x512: {peak:7.1f} MiB, {count / seconds:6.1f} frames/s  {said[:90]}",
                flush=True,
            )
        more = (peaks[-1] - peaks[0]) * 1024 / max(options.frames[-1] - options.frames[0], 1)
        print(
            "held" if more <= KIB_A_FRAME else "MISSED", f"each further frame takes {more:.1f} KiB (<= {KIB_A_FRAME:g})"
        )
        if not options.seconds:
            return 0 if more <= KIB_A_FRAME else 1
        large = [np.array(Image.fromarray(frame).resize((1080, 1080))) for frame in frames[:125]]
        large = [np.pad(frame, ((0, 0), (420, 420), (0, 0)), mode="edge") for frame in large]
        write(path, large, samples, rate, round(options.seconds * FPS))
        seconds, peak, said = run(path)
        print(f"{options.seconds:g} s at 1920x1080: {seconds:.1f} s, {peak:.1f} MiB  {said[:90]}")
    print(
        "held" if seconds < options.seconds else "MISSED",
        f"the large clip takes {seconds / options.seconds:.2f} of its length (< 1)",
    )
    return 0 if more <= KIB_A_FRAME and seconds < options.seconds else 1


if __name__ == "__main__":
    sys.exit(main())
