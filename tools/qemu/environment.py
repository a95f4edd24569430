"""Makes an arm64 Python with PyTorch and the packages of the tests in the cache; needs no superuser and no chroot.

    python -m tools.qemu.environment      prints the path of its bin/python

Debian's Python for arm64 stands in system/. bin/python is a script of this machine that starts it under qemu-user and
passes its own path on, so that it takes the folder for its virtual environment, and sys.executable, with which tests
start further processes, is the script again. qemu looks for each file in system/ first, then on this machine.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.cross import cache
from tools.lock import read

from . import debian

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "build" / "qemu.log"
LOCKS = (ROOT / "requirements-dev.txt", ROOT / "tools" / "requirements-aarch64.txt")
EMULATOR = "qemu-aarch64-static"
PYTHON = "3.11"  # the suite's
MANYLINUX = [*(f"manylinux_2_{minor}" for minor in range(36, 16, -1)), "manylinux2014"]  # glibc 2.36 is the suite's
# The oldest processor that PyTorch runs on: 2.10 has instructions of Armv8.1 everywhere. Graviton 2, Ampere Altra.
PROCESSOR = "neoverse-n1"
SYSTEM = ("python3", "libstdc++6", "libgomp1")
# Of requirements-dev.txt what tests/torch, face, audio and draft import, and what that needs.
PACKAGES = (
    ["torch", "typing-extensions", "sympy", "mpmath"],
    ["numpy", "av", "pillow", "safetensors", "tqdm", "scipy", "opencv-python-headless"],
    ["pytest", "iniconfig", "pluggy", "packaging", "pygments", "hypothesis", "sortedcontainers", "attrs"],
    ["ai-edge-litert", "backports-strenum", "flatbuffers", "ml-dtypes", "protobuf"],
)
START = """#!/bin/sh
here=${{0%/*}}
QEMU_LD_PREFIX=$here/../system QEMU_CPU=${{QEMU_CPU:-{cpu}}}
export QEMU_LD_PREFIX QEMU_CPU
exec {emulator} -0 "$0" "$here/../system/usr/bin/python{python}" "$@"
"""


def check_system() -> None:
    if sys.platform != "linux" or not shutil.which(EMULATOR):
        sys.exit("Install qemu-user-static (apt-get install qemu-user-static): tests for Arm run in its emulator.")
    debian.check_tools()


def requirements() -> str:
    """The part of the locks that is installed: one file a line, each with its hashes."""
    wanted = [name for names in PACKAGES for name in names]
    entries = [entry for lock in LOCKS for entry in read(lock.read_text("utf-8"))]
    chosen = [e for e in entries if e.requirement.name.lower() in wanted and e.applies(PYTHON, "linux")]
    missing = set(wanted) - {entry.requirement.name.lower() for entry in chosen}
    if missing:
        sys.exit(f"Correct PACKAGES in tools/qemu/environment.py: {', '.join(sorted(missing))} is in no lock.")
    lines = [
        f"{entry.requirement.name}{entry.requirement.specifier}"
        + "".join(f" --hash=sha256:{digest}" for digest in sorted(entry.hashes))
        for entry in chosen
    ]
    return "\n".join([*sorted(lines), ""])


def pip_options() -> list[str]:
    """What makes this machine's pip choose files for the emulated Python."""
    platforms = [f"--platform={name}_aarch64" for name in MANYLINUX]
    return ["--no-deps", "--only-binary=:all:", f"--python-version={PYTHON}", *platforms]


def fill(folder: Path, final: Path) -> None:
    """Makes the environment in `folder`, for use at `final`."""
    cache.report("Downloading Debian's Python for arm64 (16 MB)")
    debian.unpack(SYSTEM, folder.parent / "apt", folder / "system", LOG)
    site = folder / "lib" / f"python{PYTHON}" / "site-packages"
    site.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(requirements())
    cache.report("Downloading PyTorch and the other packages for arm64 (290 MB)")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--require-hashes"]
    remedy = "Check the network, then start again: pip could not install the packages for arm64."
    cache.logged([*command, *pip_options(), "--target", site, "--requirement", wanted], LOG, remedy)
    (folder / "pyvenv.cfg").write_text(f"home = {final}/system/usr/bin\ninclude-system-site-packages = false\n")
    start = folder / "bin" / "python"
    start.parent.mkdir()
    start.write_text(START.format(cpu=PROCESSOR, emulator=EMULATOR, python=PYTHON))
    start.chmod(0o755)


def python() -> Path:
    """The path of the emulated Python, made if it is not in the cache."""
    check_system()
    LOG.parent.mkdir(exist_ok=True)
    sources = [Path(module).read_text("utf-8") for module in (__file__, debian.__file__)]
    name = f"arm64-python-{PYTHON}-{cache.digest(requirements(), *sources)}"
    return cache.made_once(name, lambda folder: fill(folder, cache.root() / name)) / "bin" / "python"


def machine(python: Path) -> str:
    """What the Python says its processor is: "aarch64"."""
    command = [python, "-c", "import platform; print(platform.machine())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    found = python()
    if machine(found) != "aarch64":
        sys.exit(f"Remove {found.parent.parent} and start again: its Python is not for arm64.")
    print(found)


if __name__ == "__main__":
    main()
