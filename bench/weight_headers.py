"""Peak memory and time of reading crafted headers of weight files (tests/weights/crafted_headers.py), of the kinds that
strangers could send: layers, names, values, opcodes and records that no data backs.

    python -m bench.weight_headers [--files 2000] [--seed 15] [--traced]

Each file is listed, identified and compared with every network, in a child process of its own that starts from a parent
which has read none: its resident memory only grows by what this file takes. --traced adds what Python itself allocated
(tracemalloc), without times. Exit code 1 when a file exceeds 64 MB or 0.5 s.
"""

import argparse
import contextlib
import gc
import json
import math
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from sonic_nodes.errors import SonicError
from sonic_nodes.weights.catalogue import Catalogue
from sonic_nodes.weights.check import match_names
from sonic_nodes.weights.key_maps import NETWORKS
from sonic_nodes.weights.reader import open_weights
from sonic_nodes.weights.sizes import sizes_of
from tests.weights.crafted_headers import KINDS, crafted_one, kind_of

MEMORY_MB, SECONDS = 64, 0.5
DIED = {"mb": math.inf, "traced_mb": 0.0, "cpu_s": 0.0, "wall_s": 0.0, "text": "the process died"}


def read(path: Path) -> str:
    """What ComfyUI's lists and `sonic models` do with a file; "read" or the sentence that refuses it."""
    Catalogue().networks(path)
    try:
        file = open_weights(path)
    except SonicError as error:
        return str(error)
    for key in NETWORKS:
        with contextlib.suppress(SonicError):
            match_names(key, file, **sizes_of(key, file.entries))
    return "read"


def status_kb(field: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{field}:")[1].split()[0])


def measure(path: Path, traced: bool) -> dict:
    """{mb, cpu_s, wall_s, result} of this process, which has read no file before."""
    before = status_kb("VmRSS")
    if traced:
        tracemalloc.start()
    cpu, wall = time.process_time(), time.perf_counter()
    result = read(path)[:300]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = tracemalloc.get_traced_memory()[1] / 1e6 if traced else 0.0
    resident = max(0, status_kb("VmHWM") - before) / 1e3
    return {"mb": resident, "traced_mb": peak, "cpu_s": cpu, "wall_s": wall, "text": result}


def made_and_measured(path: Path, seed: int, index: int, traced: bool) -> dict:
    """The measurement of the file crafted by this seed. Another process makes it: memory that the parent had freed
    would be used again, and the file would seem to take none."""
    in_child(lambda: path.write_bytes(crafted_one(seed, index)[1]))
    return in_child(lambda: measure(path, traced)) | {"bytes": path.stat().st_size}


def in_child(work: Callable[[], object]):
    """work()'s JSON value, computed in a forked process."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            os.write(sending, json.dumps(work()).encode())
            code = 0
        os._exit(code)
    os.close(sending)
    with open(receiving, "rb") as stream:
        answer = stream.read()
    _, state = os.waitpid(child, 0)
    return json.loads(answer) if state == 0 else DIED


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--traced", action="store_true")
    options = parser.parse_args()
    gc.collect()
    gc.freeze()
    found: dict[str, list[dict]] = {name: [] for name in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unet.pth"
        for i in range(options.files):
            found[kind_of(i)].append(made_and_measured(path, options.seed, i, options.traced))
    return report(found, options.traced)


def report(found: dict[str, list[dict]], traced: bool) -> int:
    over = 0
    print(f"{'kind':32} {'files':>5} {'read':>4} {'MB':>6} {'traced':>6} {'CPU s':>6} {'wall s':>6}")
    for name, results in found.items():
        top = {key: max((r[key] for r in results), default=0) for key in ("mb", "traced_mb", "cpu_s", "wall_s")}
        whole = sum(r["text"] == "read" for r in results)
        print(
            f"{name:32} {len(results):5} {whole:4} {top['mb']:6.1f} {top['traced_mb']:6.1f} "
            f"{top['cpu_s']:6.3f} {top['wall_s']:6.3f}"
        )
        for r in results:
            slow = not traced and r["cpu_s"] > SECONDS
            if r["mb"] > MEMORY_MB or r["traced_mb"] > MEMORY_MB or slow:
                over += 1
                print(f"  over: {r}"[:400])
    count = sum(map(len, found.values()))
    print(f"{count} files, {over} over {MEMORY_MB} MB or {SECONDS} s of processor time")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
