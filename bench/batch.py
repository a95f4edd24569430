"""`sonic batch` under kill -9, on one machine and on a cluster, and its throughput. Draft engine, parts of the sample's
voice; Linux only.

    python -m bench.batch kills [--faces 8] [--voices 25] [--seconds 2] [--workers 2] [--kills 10]
    python -m bench.batch ray [--faces 8] [--voices 25] [--seconds 2] [--cut 0]
    python -m bench.batch speed [--jobs 8] [--seconds 2]

kills: a batch of faces x voices, whose workers (2 of 3 times) and parent (1 of 3) are killed at evenly spread numbers
of finished jobs; the same command is given again after each death of the parent. It prints how many outputs there are,
how many are whole, how many were made twice, and the wall time as a share of (sum of the jobs' seconds / workers).
ray: the same over two nodes of a Ray cluster, of one worker each, on addresses of the loopback. Half way all processes
of the second node are killed at once, and a third node joins; with --cut S they are stopped for S seconds instead, as
if the network were broken.
speed: the jobs of one portrait by one worker, against as many calls of `sonic render`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import wave
from collections import Counter
from pathlib import Path

import av
from PIL import Image

from tests.tools.ray_nodes import Nodes, cluster

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
SONIC = (sys.executable, "-m", "sonic_nodes")
POLL_S = 0.02


def make_inputs(folder: Path, faces: int, voices: int, seconds: float) -> list[tuple[str, str]]:
    """Writes pictures, recordings and list.csv; returns the pairs."""
    with Image.open(SAMPLE / "portrait.jpg") as picture:
        for number in range(faces):
            picture.convert("RGB").crop((number, 0, *picture.size)).save(folder / f"face{number}.png")
    with wave.open(str(SAMPLE / "speech.wav")) as source:
        parameters, sound = source.getparams(), source.readframes(source.getnframes())
    width = parameters.nchannels * parameters.sampwidth
    length = width * round(seconds * parameters.framerate)
    for number in range(voices):
        first = width * (number * parameters.framerate // 20)
        with wave.open(str(folder / f"voice{number}.wav"), "wb") as target:
            target.setparams(parameters)
            target.writeframes((sound + sound)[first : first + length])
    pairs = [(f"face{face}.png", f"voice{voice}.wav") for face in range(faces) for voice in range(voices)]
    rows = [f"{face},{voice},{Path(face).stem}/{Path(voice).stem}.mp4" for face, voice in pairs]
    (folder / "list.csv").write_text("\n".join(["portrait,speech,output", *rows]), "utf-8")
    return pairs


def start(folder: Path, workers: int, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen:
    command = [*SONIC, "batch", folder / "list.csv", "--out", folder / "out", "--workers", str(workers), *options]
    with open(folder / "said.txt", "ab") as said:
        return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, env=env)


def records(folder: Path) -> list[dict]:
    path = folder / "out" / "sonic-batch" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def workers_of(process: subprocess.Popen) -> list[int]:
    """Processes that a child of the command has forked."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text("utf-8").rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    return sorted(pid for pid, parent in parents.items() if parents.get(parent) == process.pid)


def kill_at(folder: Path, workers: int, moments: list[int]) -> int:
    """Runs the batch to its end with a kill at each number of finished jobs. Returns the last exit code."""
    process, killed = start(folder, workers), 0
    while True:
        code = process.poll()
        if code is not None:
            return code
        done = count_done(folder)
        if killed < len(moments) and done >= moments[killed]:
            if killed % 3 == 2:
                process.kill()
                process.wait()
                process = start(folder, workers)
            elif found := workers_of(process):
                os.kill(found[killed % len(found)], signal.SIGKILL)
            killed += 1
        time.sleep(POLL_S)


def count_done(folder: Path) -> int:
    return sum(record["event"] == "done" for record in records(folder))


def is_whole(path: Path, frames: int) -> bool:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0)) == frames


def kills(options: argparse.Namespace, folder: Path) -> None:
    pairs = make_inputs(folder, options.faces, options.voices, options.seconds)
    moments = [(number + 1) * len(pairs) // (options.kills + 1) for number in range(options.kills)]
    started = time.monotonic()
    code = kill_at(folder, options.workers, moments)
    print_found(folder, options, len(pairs), options.workers, code, time.monotonic() - started)
    print(f"{options.kills} kills")


def ray(options: argparse.Namespace, folder: Path) -> None:
    pairs = make_inputs(folder, options.faces, options.voices, options.seconds)
    with cluster(2) as nodes:
        started = time.monotonic()
        process = start(folder, 2, f"--ray={nodes.address}", env=nodes.environment)
        while process.poll() is None and count_done(folder) < len(pairs) // 2:
            time.sleep(POLL_S)
        lose(nodes, options.cut)
        code = process.wait()
        wall = time.monotonic() - started
    print_found(folder, options, len(pairs), 2, code, wall)
    attempts = sum(record["event"] == "start" for record in records(folder))
    print(f"{attempts} jobs begun; the batch said:\n{(folder / 'said.txt').read_text('utf-8')}")


def lose(nodes: Nodes, cut_s: float) -> None:
    if cut_s:
        nodes.signal(1, signal.SIGSTOP)
        time.sleep(cut_s)
        nodes.signal(1, signal.SIGCONT)
    else:
        nodes.signal(1)
        nodes.start()


def print_found(folder: Path, options: argparse.Namespace, jobs: int, workers: int, code: int, wall: float) -> None:
    done = [record for record in records(folder) if record["event"] == "done"]
    videos = sorted((folder / "out").glob("face*/*.mp4"))
    whole = sum(is_whole(path, round(25 * options.seconds)) for path in videos)
    twice = sum(count > 1 for count in Counter(record["output"] for record in done).values())
    ideal = sum(record["seconds"] for record in done) / workers
    print(f"exit code {code}; {jobs} jobs, {len(videos)} outputs, {whole} whole, {twice} made twice")
    print(f"{wall:.1f} s, {wall / ideal:.3f} of the jobs' {ideal:.1f} s a worker")


def speed(options: argparse.Namespace, folder: Path) -> None:
    pairs = make_inputs(folder, 1, options.jobs, options.seconds)
    started = time.monotonic()
    for number, (face, voice) in enumerate(pairs):
        command = [*SONIC, "render", folder / face, folder / voice, "-o", folder / f"{number}.mp4"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    apart = time.monotonic() - started
    started = time.monotonic()
    if start(folder, 1).wait():
        raise SystemExit((folder / "said.txt").read_text("utf-8"))
    together = time.monotonic() - started
    print(f"{options.jobs} jobs: render {apart:.1f} s, batch {together:.1f} s: {apart / together:.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("kills", "ray", "speed"))
    for name, value in (("faces", 8), ("voices", 25), ("workers", 2), ("kills", 10), ("jobs", 8)):
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in (("seconds", 2.0), ("cut", 0.0)):
        parser.add_argument(f"--{name}", type=float, default=value)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"kills": kills, "ray": ray, "speed": speed}[options.what](options, Path(folder))


if __name__ == "__main__":
    main()
