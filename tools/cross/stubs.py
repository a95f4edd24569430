"""Libraries to link with that stand for Python's and PyTorch's on another system: lists of symbols, without code.

The lists in symbols/ are the stable interfaces of the oldest versions that one binary supports. A function that they
lack does not link.
"""

import subprocess
from pathlib import Path

from . import zig
from .targets import Target

SYMBOLS = Path(__file__).with_name("symbols")
# -l name -> (list of symbols, file on Windows)
LIBRARIES = {"python3": ("python_3.10.txt", "python3.dll"), "torch_cpu": ("torch_2.10.txt", "torch_cpu.dll")}


def symbols(library: str) -> list[str]:
    return (SYMBOLS / LIBRARIES[library][0]).read_text("utf-8").split()


def definition(library: str) -> str:
    """A module definition (.def) of a DLL."""
    return "\n".join([f"LIBRARY {LIBRARIES[library][1]}", "EXPORTS", *symbols(library), ""])


def windows(folder: Path, target: Target) -> None:
    for library in LIBRARIES:
        listing = folder / f"{library}.def"
        listing.write_text(definition(library))
        command = [zig.folder(target.log) / "bin" / "dlltool", "-m", "i386:x86-64", "-d", listing]
        subprocess.run([*command, "-l", folder / f"lib{library}.a"], check=True, env=zig.full_environment())


def macos(folder: Path, target: Target) -> None:
    """None: whatever is not defined is looked up when the extension is loaded."""


def linux(folder: Path, target: Target) -> None:
    """Shared libraries of empty functions with the name that the loader looks for."""
    source = folder / "torch_cpu.c"
    source.write_text("".join(f"void {name}(void) {{}}\n" for name in symbols("torch_cpu")))
    options = ["-shared", "-fPIC", "-w", "-Wl,-soname,libtorch_cpu.so", "-o", folder / "libtorch_cpu.so"]
    subprocess.run([*target.compilers()[0], *options, source], check=True)


def make(folder: Path, target: Target) -> Path:
    """Makes the libraries for a target that is not this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    {"windows": windows, "macos": macos, "linux": linux}[target.system](folder, target)
    return folder
