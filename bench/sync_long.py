"""Memory of `sonic sync` on long clips, and its speed on a large one.

    python -m bench.sync_long [--frames 1000 10000] [--seconds 20]

The clips loop the sample portrait speaking the sample recording (draft engine). At 512x512 the peak memory of each
length is measured in a separate process (Linux); at 1920x1080 the time is measured. Exits with 0 when the longest clip
takes at most 8 KiB per frame more than the shortest (2.5 KiB of sound at 16000 Hz plus the curves of mouth and sound; a
frame has 768 KiB) and the large clip less time than its own length. The clips are written to a temporary folder.
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
FPS, KIB_PER_FRAME = 25, 8.0


def spoken():
    """(frames uint8 [n, 512, 512, 3] as a list, sound of the same length)."""
    sound = read_sound(SAMPLE / "speech.wav")
    data, engine = pipeline.prepare(read_picture(SAMPLE / "portrait.jpg"), sound, min_resolution=512), DraftEngine()
    frames = [np.array(frame[:512, :512]) for chunk in engine.decode(engine.infer(data, 1), data) for frame in chunk]
    return frames, np.resize(sound.mono(), round(len(frames) * sound.rate / FPS)), sound.rate


def write(path, frames, samples, rate, count):
    """`count` frames and their sound, looping the given ones."""
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
            piece_samples = np.ascontiguousarray(samples[None, at : at + piece], np.float32)
            audio_frame = av.AudioFrame.from_ndarray(piece_samples, format="fltp", layout="mono")
            audio_frame.sample_rate, audio_frame.time_base, audio_frame.pts = rate, Fraction(1, rate), i * piece
            container.mux(audio.encode(audio_frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def run(path):
    """(seconds, peak memory in MiB, output) of `sonic sync`."""
    began = time.perf_counter()
    code = (
        "import sys; from sonic_nodes.commands.cli import main; ended = main(sys.argv[1:]); "
        "print(next(line for line in open('/proc/self/status') if 'VmHWM' in line)); sys.exit(ended)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "sync", str(path), "--json"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    output, peak = done.stdout.strip().rsplit("\n", 1)
    return time.perf_counter() - began, int(peak.split()[1]) / 1024, output


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the 1920x1080 clip; 0 skips it")
    options = parser.parse_args()
    frames, samples, rate = spoken()
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for count in options.frames:
            write(path, frames, samples, rate, count)
            seconds, peak, output = run(path)
            peaks.append(peak)
            print(
                f"{count:6d} frames at 512x512: {peak:7.1f} MiB, {count / seconds:6.1f} frames/s  {output[:90]}",
                flush=True,
            )
        more = (peaks[-1] - peaks[0]) * 1024 / max(options.frames[-1] - options.frames[0], 1)
        print(
            "held" if more <= KIB_PER_FRAME else "MISSED",
            f"each additional frame takes {more:.1f} KiB (<= {KIB_PER_FRAME:g})",
        )
        if not options.seconds:
            return 0 if more <= KIB_PER_FRAME else 1
        large = [np.array(Image.fromarray(frame).resize((1080, 1080))) for frame in frames[:125]]
        large = [np.pad(frame, ((0, 0), (420, 420), (0, 0)), mode="edge") for frame in large]
        write(path, large, samples, rate, round(options.seconds * FPS))
        seconds, peak, output = run(path)
        print(f"{options.seconds:g} s at 1920x1080: {seconds:.1f} s, {peak:.1f} MiB  {output[:90]}")
    print(
        "held" if seconds < options.seconds else "MISSED",
        f"the large clip takes {seconds / options.seconds:.2f} of its length (< 1)",
    )
    return 0 if more <= KIB_PER_FRAME and seconds < options.seconds else 1


if __name__ == "__main__":
    sys.exit(main())
