"""Tests the wheel of `make wheel-aarch64` under qemu-user, as an arm64 machine would run it; prints a line a step.

    python -m tools.qemu.check                    all steps
    python -m tools.qemu.check parity frames      these: import, doctor, render, parity, frames, torch, audio, face

The last three are folders of tests. Each step is run once, on one thread, for the emulator is much slower than the
processor. `frames` compares the draft engine's frames with this machine's. The exit status is 1 if a step failed; its
output is printed and kept in build/qemu/.
"""

import os
import shutil
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np

from tools.cross import cache

from . import environment

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "qemu"
SAMPLE = ROOT / "sonic_nodes" / "assets" / "sample"
LEAST_PSNR_DB = 70.0  # worst frame against this machine's: 75.7 was seen, with another PyTorch and another compiler
LOAD = "import sonic_nodes.extension.native as native; print(native._sonic.__file__)"
TESTS = ("torch", "audio", "face")
# A test that has it compiles with this machine's compiler: not the emulated machine's matter.
COMPILER = "core.compiler import"


def wheel() -> Path:
    found = sorted((ROOT / "dist").glob("sonic_talking_portrait-*_aarch64.whl"))
    if len(found) != 1:
        sys.exit("Type make wheel-aarch64 first: dist/ has no wheel for Linux on Arm, or more than one.")
    return found[0]


def install(log: Path) -> Path:
    """The wheel in a folder of its own, as pip unpacks it, and beside it links to what tests import."""
    site = WORK / "site"
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--target", site]
    remedy = "Type make wheel-aarch64 again: pip refuses the wheel."
    cache.logged([*command, *environment.pip_options(), wheel()], log, remedy)
    for name in ("tests", "bench", "tools", "pyproject.toml"):
        (site / name).symlink_to(ROOT / name)
    return site


def variables(site: Path) -> dict[str, str]:
    """This process's environment, but for its own sonic_nodes, and on one thread."""
    own = {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own}


def not_here(folder: str) -> list[str]:
    """The test files of a folder that compile."""
    found = sorted((ROOT / "tests" / folder).glob("test_*.py"))
    return [path.relative_to(ROOT).as_posix() for path in found if COMPILER in path.read_text("utf-8")]


def tests(folder: str) -> list[str]:
    ignored = [f"--ignore={name}" for name in not_here(folder)]
    return ["-m", "pytest", "-v", "-rs", "-p", "no:cacheprovider", *ignored, f"tests/{folder}"]


def commands() -> dict[str, list]:
    """The arguments of Python for each step."""
    video = WORK / "render.mp4"
    render = ["render", SAMPLE / "portrait.jpg", WORK / "second.wav", "-o", video, "--min-resolution", "256"]
    return {
        "import": ["-c", LOAD],
        "doctor": ["-m", "sonic_nodes", "doctor"],
        "render": ["-m", "sonic_nodes", *render],
        "parity": ["-m", "bench.parity"],
        "frames": ["-m", "tools.qemu.frames", WORK / "arm64.npy"],
        **{folder: tests(folder) for folder in TESTS},
    }


def second_of_speech() -> None:
    with wave.open(str(SAMPLE / "speech.wav")) as source, wave.open(str(WORK / "second.wav"), "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getframerate()))


def worst_psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Of two clips of uint8 [frames, height, width, 3], the frame that differs most; infinite if none does."""
    if a.shape != b.shape:
        raise ValueError(f"Render both clips alike: their shapes are {a.shape} and {b.shape}.")
    error = np.square(a.astype(np.float64) - b).mean(axis=(1, 2, 3)).max()
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def compare_frames() -> tuple[bool, str]:
    """Renders the frames here, too."""
    subprocess.run([sys.executable, "-m", "tools.qemu.frames", WORK / "here.npy"], cwd=ROOT, check=True)
    worst = worst_psnr_db(np.load(WORK / "arm64.npy"), np.load(WORK / "here.npy"))
    return worst >= LEAST_PSNR_DB, f"worst frame {worst:.1f} dB against this machine's (at least {LEAST_PSNR_DB:.0f})"


def run(name: str, arguments: list, python: Path, site: Path) -> bool:
    """Runs one step and prints its line."""
    log, begun = WORK / f"{name}.log", time.monotonic()
    with open(log, "wb") as stream:
        done = subprocess.run(
            [python, *arguments],
            cwd=site,
            env=variables(site),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = log.read_text(errors="replace").splitlines()
    good, last = done.returncode == 0, text[-1] if text else ""
    if good and name == "frames":
        good, last = compare_frames()
    if not good:
        cache.report("\n".join(text[-25:]))
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    print(f"{name:8}{minutes:3d}:{seconds:02d}  {'passed' if good else 'FAILED'}  {last}", flush=True)
    return good


def main() -> int:
    steps = commands()
    chosen = sys.argv[1:] or list(steps)
    unknown = set(chosen) - set(steps)
    if unknown:
        sys.exit(f"Choose among {', '.join(steps)}: {', '.join(sorted(unknown))} is none of them.")
    wheel()
    python = environment.python()
    WORK.mkdir(parents=True, exist_ok=True)
    site = install(environment.LOG)
    second_of_speech()
    results = [run(name, steps[name], python, site) for name in chosen]  # all, also after a failure
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
