"""Builds the DLLs that Wine 8 lacks or has in part, from ucrtbase.c and bcryptprimitives.c, with Zig.

ucrtbase.dll has our functions and forwards every other name to ucrtbase_wine.dll, a copy of Wine's own.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pefile

from tools.cross import cache, zig

HERE = Path(__file__).resolve().parent
WINE = Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows")
# Nothing of a C library, so that Zig compiles none: a second instead of minutes.
COMPILE = ["-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-c"]
LINK = ["-shared", "-nostdlib", "-Wl,-e,DllMainCRTStartup"]


def exports(path: Path) -> list[str]:
    image = pefile.PE(str(path), fast_load=True)
    image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
    return sorted(symbol.name.decode() for symbol in image.DIRECTORY_ENTRY_EXPORT.symbols if symbol.name)


def own_functions(source: str) -> list[str]:
    """The names that ucrtbase.c replaces: those of its macros with their three types, and the rest as written."""
    bases = re.findall(r"^(?:FUNCTION|REAL)\((\w+)", source, re.MULTILINE)
    return sorted({*(f"c{base}{kind}" for base in bases for kind in ("", "f", "l")), "cpow", "cpowf", "cpowl"})


def run(arguments: list, folder: Path) -> None:
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, check=False, env=zig.full_environment()
    )
    if done.returncode:
        sys.exit(f"Report this: a DLL for Wine did not build.\n{' '.join(map(str, arguments))}\n{done.stderr}")


def build(log: Path) -> Path:
    """The folder that has the DLLs."""
    source = (HERE / "ucrtbase.c").read_text()
    tool = zig.compiler(log, "x86_64-windows-gnu", "cc")
    system = WINE / "ucrtbase.dll"

    def make(folder: Path) -> None:
        names, own = exports(system), own_functions(source)
        missing = sorted(set(own) - set(names))
        if missing:
            sys.exit(f"Install Debian's wine64: its ucrtbase.dll has no {', '.join(missing)}.")
        shutil.copy2(system, folder / "ucrtbase_wine.dll")
        definitions = "LIBRARY ucrtbase_wine.dll\nEXPORTS\n" + "".join(f"{name}\n" for name in names)
        (folder / "wine.def").write_text(definitions)
        (folder / "advapi32.def").write_text("LIBRARY advapi32.dll\nEXPORTS\nSystemFunction036\n")
        (folder / "ucrtbase.def").write_text(
            "LIBRARY ucrtbase.dll\nEXPORTS\n"
            + "".join(f"{name}=shim_{name}\n" if name in own else f"{name}=ucrtbase_wine.{name}\n" for name in names)
        )
        dlltool = [str(Path(tool[0])), "dlltool", "-m", "i386:x86-64"]
        for name in ("wine", "advapi32"):
            run([*dlltool, "-d", f"{name}.def", "-l", f"lib{name}.a"], folder)
        for name, more in (("ucrtbase", ["ucrtbase.def", "libwine.a"]), ("bcryptprimitives", ["libadvapi32.a"])):
            run([*tool, *COMPILE, HERE / f"{name}.c", "-o", f"{name}.o"], folder)
            run([*tool, *LINK, f"{name}.o", *more, "-o", f"{name}.dll"], folder)
        for path in folder.iterdir():
            if path.suffix != ".dll":
                path.unlink()

    parts = [(HERE / name).read_bytes() for name in ("ucrtbase.c", "bcryptprimitives.c", "shims.py")]
    return cache.made_once(f"wine-shims-{cache.digest(*parts, system.read_bytes(), zig.VERSION)}", make)
