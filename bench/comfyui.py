"""Seconds, resident memory and left-over files of a real ComfyUI server that runs the draft template.

    COMFYUI_DIR=... COMFYUI_PYTHON=.../bin/python python -m bench.comfyui [--only first busy long large queue]

COMFYUI_DIR is a checkout of ComfyUI (tried with 0.3.64), COMFYUI_PYTHON the Python that runs it. Each part has a server
of its own, on the CPU and on this machine alone, in a temporary folder into which this checkout is linked. Workflows go
in as the page sends them (POST /prompt).

- first: seconds from Run to the file for the sample, as the first run of a server (at most 20 on an idle machine)
- busy:  the same beside a busy loop a core (at most 45)
- long:  by how much ten minutes of speech at 512 x 512, with Calibrate and Smooth, raise the server's resident memory
         above that after the sample (at most 700 MB), and whether the file is whole
- large: the same for a minute at 1088 x 1088
- queue: fifty jobs, of which ten are cancelled and ten fail: resident memory after the last against that after the
         fifth (at most 50 MB more), and files in the temporary folders (none)

Exits 1 where a limit does not hold. Linux only: memory is read from /proc.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

import av
import numpy as np
from PIL import Image

from bench.busy import busy as busy_loops
from tools.comfyui_client import READY, Client, Failed, errors_of, free_port

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
DRAFT = ROOT / "docs" / "api" / "draft.json"
PACK = "sonic-talking-portrait"
LOAD, SOUND, PRE, INFER, SAVE = "1", "2", "3", "5", "8"  # nodes of the draft workflow
FPS = 25
START_S, RUN_S = 600, 3600  # at most
FIRST_S, BUSY_S, LONG_MB, QUEUE_MB = 20, 45, 700, 50
SHORT = {PRE: {"duration": 1.0, "min_resolution": 256}}


def graph(*changes: dict[str, dict]) -> dict:
    """The draft workflow in API format, with inputs of nodes changed."""
    made = json.loads(DRAFT.read_text("utf-8"))
    for change in changes:
        for node, inputs in change.items():
            made[node]["inputs"].update(copy.deepcopy(inputs))
    return made


class Server(Client):
    """A ComfyUI server with this checkout in custom_nodes; `with` starts it, waits until it is ready and stops it."""

    def __init__(self, comfyui: Path, python: str, folder: Path) -> None:
        super().__init__(f"http://127.0.0.1:{free_port()}")
        self.comfyui, self.python, self.base, self.temporary = comfyui, python, folder / "base", folder / "tmp"
        self.ready = threading.Event()  # or ended

    def __enter__(self) -> "Server":
        for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
            (self.base / name).mkdir(parents=True)
        self.temporary.mkdir()
        (self.base / "custom_nodes" / PACK).symlink_to(ROOT)
        options = ["--cpu", "--listen", "127.0.0.1", "--port", self.url.rsplit(":", 1)[1], "--disable-auto-launch"]
        options += ["--base-directory", str(self.base), "--database-url", f"sqlite:///{self.base}/user/comfyui.db"]
        variables = {**os.environ, "TMPDIR": str(self.temporary), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        self.process = subprocess.Popen(
            [self.python, "-u", "main.py", *options, "--disable-api-nodes"],
            cwd=self.comfyui,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self.read, daemon=True).start()
        self.ready.wait(START_S)
        if not any(READY in line for line in self.lines):
            self.__exit__()
            raise Failed(f"The server did not start:\n{''.join(self.lines[-30:])}")
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()

    def read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            if READY in line:
                self.ready.set()
        self.ready.set()

    def resident_mb(self) -> float:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def made(self, workflow: dict) -> Path:
        """The video of a run that has to succeed."""
        history = self.wait(self.queue(workflow), RUN_S, 0.05)
        if history["status"]["status_str"] != "success":
            raise Failed(json.dumps(errors_of(history), ensure_ascii=False))
        (saved,) = history["outputs"][SAVE]["images"]
        return self.base / "output" / saved["subfolder"] / saved["filename"]

    def left_over(self) -> list[str]:
        """Files that runs left in the temporary folders; previews, which ComfyUI keeps until it ends, are none."""
        found = [path for path in self.temporary.rglob("*") if path.is_file()]
        found += [path for path in (self.base / "temp").rglob("*") if path.suffix in (".mp4", ".part", ".tmp", ".wav")]
        found += [path for path in (self.base / "output").rglob("*") if path.is_file() and path.suffix != ".mp4"]
        return [path.relative_to(self.base.parent).as_posix() for path in found]


class Peak(threading.Thread):
    """The highest resident memory of a server between `with` and its end, in MB."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server, self.over, self.mb = server, threading.Event(), 0.0

    def __enter__(self) -> "Peak":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        while not self.over.wait(0.1):
            self.mb = max(self.mb, self.server.resident_mb())


def write_speech(path: Path, seconds: float) -> None:
    """The sample's speech, over and over."""
    with wave.open(str(SAMPLE / "speech.wav")) as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        speech = np.frombuffer(source.readframes(source.getnframes()), "<i2")
        target.writeframes(np.resize(speech, round(seconds * source.getframerate())).tobytes())


def check_whole(path: Path, frames: int, side: int) -> None:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        found = sum(1 for _ in container.decode(video))
        sides = min(video.width, video.height)
    if (found, sides) != (frames, side):
        raise Failed(f"{path.name} has {found} frames of {sides} pixels instead of {frames} of {side}")


def first(server: Server, limit: float = FIRST_S) -> tuple[bool, str]:
    begun = time.monotonic()
    server.made(graph())
    seconds = time.monotonic() - begun
    return seconds <= limit, f"{seconds:.1f} s from Run to the file (at most {limit})"


def busy(server: Server) -> tuple[bool, str]:
    with busy_loops(os.cpu_count()):
        return first(server, BUSY_S)


def growth(server: Server, seconds: float, side: int) -> tuple[bool, str]:
    server.made(graph())
    before = server.resident_mb()
    write_speech(server.base / "input" / "long.wav", seconds)
    begun = time.monotonic()
    with Peak(server) as peak:
        path = server.made(graph({SOUND: {"audio": "long.wav"}, PRE: {"min_resolution": side}}))
    took = time.monotonic() - begun
    check_whole(path, round(FPS * seconds), side)
    grown = peak.mb - before
    size = f"{seconds:g} s of speech at {side} x {side}"
    return grown <= LONG_MB, f"{size}: {grown:+.0f} MB at most above {before:.0f} ({LONG_MB}), {took:.0f} s, file whole"


def long(server: Server) -> tuple[bool, str]:
    return growth(server, 600, 512)


def large(server: Server) -> tuple[bool, str]:
    return growth(server, 60, 1088)


def one_job(server: Server, number: int) -> str:
    """How it ended: "success", "error" or "cancelled". Each fifth fails, each fifth is cancelled."""
    changes = [SHORT, {INFER: {"seed": number}}]
    if number % 5 == 3:
        changes.append({LOAD: {"image": "grey.png"}})
    if number % 5 == 4:
        changes.append({SOUND: {"audio": "long.wav"}, PRE: {"duration": 0.0, "min_resolution": 512}})
    prompt = server.queue(graph(*changes))
    if number % 5 == 4:
        time.sleep(3)
        server.request("/interrupt", {})
    history = server.wait(prompt, RUN_S)
    kinds = {kind for kind, _ in history["status"]["messages"]}
    return "cancelled" if "execution_interrupted" in kinds else history["status"]["status_str"]


def queue(server: Server) -> tuple[bool, str]:
    write_speech(server.base / "input" / "long.wav", 120)
    Image.new("RGB", (512, 512), "grey").save(server.base / "input" / "grey.png")
    ends, fifth = [], 0.0
    for number in range(50):
        ends.append(one_job(server, number))
        fifth = server.resident_mb() if number == 4 else fifth
    grown, left = server.resident_mb() - fifth, server.left_over()
    counts = {end: ends.count(end) for end in ("success", "error", "cancelled")}
    good = counts == {"success": 30, "error": 10, "cancelled": 10} and grown <= QUEUE_MB and not left
    return good, f"{counts}, {grown:+.0f} MB since the fifth (at most {QUEUE_MB}), files left: {left or 'none'}"


PARTS = {part.__name__: part for part in (first, busy, long, large, queue)}


def measure(name: str, comfyui: Path, python: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="sonic-bench-") as place:
        folder = Path(place)
        try:
            with Server(comfyui, python, folder) as server:
                good, said = PARTS[name](server)
        except Failed as error:
            good, said = False, str(error)
    print(f"{name:6} {'holds' if good else 'FAILS'}  {said}", flush=True)
    return good


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    chosen = parser.parse_args(argv)
    comfyui = os.environ.get("COMFYUI_DIR")
    if not comfyui:
        print("Not measured: set COMFYUI_DIR to a checkout of ComfyUI and COMFYUI_PYTHON to its Python.")
        return 0
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    results = [measure(name, Path(comfyui).resolve(), python) for name in chosen.only]
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
