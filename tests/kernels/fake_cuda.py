"""Builds the driver and compiler of a card that fake_cuda.c is, and gives them to sonic_nodes/kernels.py."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CSRC = HERE.parent.parent / "csrc"


def build(folder: Path) -> ctypes.CDLL:
    """SystemExit with a sentence where it cannot be built."""
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if not compiler or not CSRC.is_dir():
        sys.exit("Install a C compiler, and run this in a checkout: it compiles csrc/kernels.")
    flags = [compiler, "-std=c11", "-O2", "-fPIC", f"-I{CSRC}"]
    objects = []
    for value in range(3):
        objects.append(str(folder / f"host_kernels_{value}.o"))
        source = str(HERE / "host_kernels.c")
        subprocess.run([*flags, f"-DSONIC_VALUE={value}", "-c", "-o", objects[-1], source], check=True)
    library = folder / "libfake_cuda.so"
    subprocess.run([*flags, "-shared", "-o", library, HERE / "fake_cuda.c", *objects, "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.fake_log.restype = ctypes.c_char_p
    loaded.fake_launches.restype = ctypes.c_longlong
    return loaded


def launches(library: ctypes.CDLL) -> list[tuple[str, int]]:
    """(kernel, bytes that a card moves) of each launch since the log was cleared."""
    lines = (line.split() for line in library.fake_log().decode().splitlines())
    return [(name, int(count)) for name, count in lines]
