"""A wheel as a Windows user has it, and the checkout's tests beside it: nothing of the sources can be imported."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.cross import cache

from . import environment, packages
from .machine import Machine, windows_path

ROOT = environment.ROOT
PLACE = ROOT / "build" / "wine"
# The package and its C are the wheel's.
LEFT_OUT = ("sonic_nodes/", "csrc/")


def newest_wheel() -> Path:
    """The wheel for Windows in dist/."""
    found = sorted((ROOT / "dist").glob("sonic_talking_portrait-*-win_amd64.whl"), key=os.path.getmtime)
    if not found:
        sys.exit("Type make wheel-windows first: dist/ has no wheel for Windows.")
    return found[-1]


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and not name.startswith(LEFT_OUT)]
    return [name for name in names if (ROOT / name).is_file()]


def lay_out(wheel: Path, python: str) -> Path:
    """A folder with the wheel, installed by pip as on Windows, and the rest of the checkout beside it."""
    PLACE.mkdir(parents=True, exist_ok=True)
    folder = PLACE / f"checkout-{python}"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-compile"]
    remedy = f"Build the wheel again (make wheel-windows): pip would not install {wheel} on Windows."
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        target = Path(place, "checkout")
        chosen = ["--target", str(target), *packages.for_windows(python), str(wheel)]
        cache.logged([*command, *chosen], environment.LOG, remedy)
        for name in tracked_files():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
        target.rename(folder)
    return folder


def variables(folder: Path) -> dict[str, str]:
    """What programs on the machine need to find the folder, the photos of ../shared and MediaPipe's models, which this
    Linux downloads into .cache, where there are some."""
    models = ROOT / ".cache" / "face_models"
    shared = Path(os.environ.get("SONIC_SHARED") or ROOT.parent / "shared")
    found = {"SONIC_SHARED": windows_path(shared.resolve())} if shared.is_dir() else {}
    found |= {"FACE_MODELS": windows_path(models)} if models.is_dir() else {}
    return {"PYTHONPATH": windows_path(folder), "COLUMNS": "400", **found}


def run(machine: Machine, folder: Path, arguments: list[str], timeout: float, **more) -> int | None:
    return machine.run(arguments, timeout, folder, variables(folder), **more)
