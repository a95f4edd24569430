"""Wall and CPU seconds of the commands on an idle machine and beside as many busy processes as there are cores.

    python -m bench.busy [--repeats 3] [--only sync smooth] [--peer CHECKOUT]

check reads the sample portrait; render (draft engine) makes 240 frames of it; sync reads those, smooth the same with
noise added.
Each command runs alone, then beside busy loops, in turn; the table shows the medians. With --peer the commands of
another checkout (with a .venv of its own) run alone as well, in turn with ours: the ratio of the two idle wall times.
Exits with 1 when a command beside busy cores takes over 3 times its idle wall time or 1.3 times its idle CPU time, or
alone over 1.05 times the peer's wall time. Linux and macOS (CPU seconds of children: os.wait4).
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
WALL_LIMIT, CPU_LIMIT, PEER_LIMIT = 3.0, 1.3, 1.05
BUSY_LOOP = "while True: pass"


def commands(folder: Path) -> dict[str, list[str]]:
    """Arguments of `sonic` by name; the clips are in `folder`, and outputs are written there."""
    portrait, speech = str(SAMPLE / "portrait.jpg"), str(SAMPLE / "speech.wav")
    clip, noisy = str(folder / "clip.mp4"), str(folder / "noisy.mp4")
    return {
        "render": ["render", portrait, speech, "-o", str(folder / "render.mp4")],
        "check": ["check", portrait],
        "sync": ["sync", clip],
        "smooth": ["smooth", noisy, "-o", str(folder / "smooth.mp4")],
    }


def add_noise(source: Path, target: Path, levels: float = 8.0):
    """A copy of the clip's pictures with normal noise of that standard deviation in every frame, seed 1."""
    random = np.random.default_rng(1)
    with av.open(str(source)) as clip, av.open(str(target), "w") as noisy:
        frames = clip.streams.video[0]
        stream = noisy.add_stream("libx264", rate=frames.average_rate, options={"crf": "14", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = frames.width, frames.height, "yuv420p"
        for frame in clip.decode(frames):
            pixels = frame.to_ndarray(format="rgb24")
            pixels = np.clip(pixels + levels * random.standard_normal(pixels.shape, np.float32), 0, 255)
            noisy.mux(stream.encode(av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")))
        noisy.mux(stream.encode(None))


def measure(checkout: Path, arguments: list[str]) -> tuple[float, float]:
    """(wall seconds, CPU seconds of the process and its children) of one command."""
    python = checkout / ".venv" / "bin" / "python"
    command = [str(python if python.exists() else sys.executable), "-m", "sonic_nodes", *arguments]
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    message = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"sonic {' '.join(arguments)} ended with {child.returncode}: {message}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def busy(processes: int):
    """Processes that never rest, while the block runs."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(processes)]
    try:
        time.sleep(0.3)
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def measure_all(arguments, load: int, repeats: int, peer: Path | None):
    """(idle, busy, peer's idle): lists of (wall, CPU) of `repeats` runs; the three take turns."""
    idle, loaded, others = [], [], []
    for _ in range(repeats):
        idle.append(measure(ROOT, arguments))
        if peer:
            others.append(measure(peer, arguments))
        if load:
            with busy(load):
                loaded.append(measure(ROOT, arguments))
    return idle, loaded, others


def medians(runs):
    return [statistics.median(column) for column in zip(*runs, strict=True)]


def report(name, idle, loaded, others) -> bool:
    """Prints a line of the table. Whether all limits hold."""
    (wall, cpu), good, line = medians(idle), True, f"{name:8}"
    line += f" {wall:8.2f} {cpu:8.2f}"
    if loaded:
        busy_wall, busy_cpu = medians(loaded)
        good = busy_wall <= WALL_LIMIT * wall and busy_cpu <= CPU_LIMIT * cpu
        line += f" {busy_wall:9.2f} {busy_cpu:9.2f} {busy_wall / wall:8.2f} {busy_cpu / cpu:8.2f}"
    if others:
        ratio = min(w for w, _ in idle) / min(w for w, _ in others)
        good &= ratio <= PEER_LIMIT
        line += f" {medians(others)[0]:9.2f} {medians(others)[1]:9.2f} {ratio:8.2f}"
    print(line + ("" if good else "   over the limit"), flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--load", type=int, default=os.cpu_count(), help="busy processes (default: one a core)")
    parser.add_argument("--only", nargs="+", choices=["render", "check", "sync", "smooth"])
    parser.add_argument("--peer", type=Path, help="another checkout, whose idle times are compared")
    options = parser.parse_args()
    print(f"seconds; {options.load} busy loops; medians of {options.repeats} runs, peer: ratio of the shortest")
    print(f"{'':8} {'wall':>8} {'CPU':>8}", end="")
    print(f" {'busy wall':>9} {'busy CPU':>9} {'wall x':>8} {'CPU x':>8}" if options.load else "", end="")
    print(f" {'peer wall':>9} {'peer CPU':>9} {'wall x':>8}" if options.peer else "")
    with tempfile.TemporaryDirectory() as folder:
        runs = commands(Path(folder))
        measure(ROOT, [*runs["render"][:4], str(Path(folder) / "clip.mp4")])
        add_noise(Path(folder) / "clip.mp4", Path(folder) / "noisy.mp4")
        results = [
            report(name, *measure_all(runs[name], options.load, options.repeats, options.peer))
            for name in options.only or runs
        ]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
