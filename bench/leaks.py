"""Leaks of memory and files after twenty runs and twenty cancelled runs of the Sonic engine.

    python -m bench.leaks [--models DIR] [--runs 20]      without DIR: small networks with random weights

Exits 0 when the bytes of live tensors after the last run equal those after the second, resident memory (after
malloc_trim) has grown by less than 50 MB, and no file is left in the temporary folder.
"""

import argparse
import ctypes
import gc
import os
import sys
import tempfile
from pathlib import Path

import torch

from sonic_nodes.engines.sonic import SonicEngine, SonicSettings
from sonic_nodes.weights.models import Models
from tests.oracles.engine_runs import Stop, StopAt, clip_data, pictures
from tests.oracles.live import live_tensor_bytes
from tests.tools.make_models import make

RSS_LIMIT_MB = 50


def resident_mb() -> float:
    """After garbage collection and malloc_trim; NaN where the system does not report it."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, AttributeError):
        return float("nan")


def one_run(engine, number: int, stop_at: int | None):
    """A different clip each time, so that nothing cached is reused."""
    data = clip_data(0.4, seed=number % 7)
    progress = StopAt(stop_at)
    try:
        latent = engine.infer(data, number, SonicSettings(steps=2), progress)
        pictures(engine, latent, data, progress=progress)
    except Stop:
        return


def measure(engine, runs: int, stops: bool):
    """[(live bytes, resident MB)] after each run. The engine's cache, which depends on the clip, is cleared."""
    readings = []
    for number in range(runs):
        one_run(engine, number, 3 + 5 * number if stops else None)
        engine.cache.clear()
        readings.append((live_tensor_bytes(), resident_mb()))
    return readings


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--models", type=Path, help="ComfyUI's models folder")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        models = options.models or Path(folder) / "models"
        if options.models is None:
            list(make(models, torch.float32, small=True))
        temporary = Path(folder) / "temporary"
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        failed = False
        engine = SonicEngine(Models.in_folder(models), device=options.device)
        for stops in (False, True):
            readings = measure(engine, options.runs, stops)
            (live, resident), (last_live, last_resident) = readings[1], readings[-1]
            holds = live == last_live and not last_resident - resident > RSS_LIMIT_MB
            failed |= not holds
            what = "cancelled runs" if stops else "runs"
            print(
                f"{options.runs} {what}, after the second and the last: "
                f"live tensors {live / 1e6:.2f} and {last_live / 1e6:.2f} MB, "
                f"resident {resident:.0f} and {last_resident:.0f} MB" + ("" if holds else "   FAILS")
            )
        left = os.listdir(temporary)
        print(f"files left in the temporary folder: {len(left)}")
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
