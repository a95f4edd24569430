#!/usr/bin/env python3
"""Shows which loops of csrc/gate GCC vectorises with the flags of setup.py, by its report (-fopt-info-vec).

    python -m tools.vectorised [--compiler aarch64-linux-gnu-gcc --include DIR] [FILE.c ...]

DIR has libjpeg's headers for another processor: include/ in the folder that tools/static_libraries.py prints.

"wide" marks functions that are compiled again for 256-bit vectors (csrc/core/plane.h). One without a loop of its own
calls inline functions with loops, or its loops are unrolled.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["-std=c11", "-O3", "-fno-math-errno", "-fPIC", "-Icsrc", "-fopt-info-vec-optimized", "-c", "-o", "/dev/null"]
FUNCTION = re.compile(r"^(?:static )?(?:inline )?[\w ]+?\**(\w+)\([^;]*$")


def functions(source: list[str]):
    """(name, wide, first line, last line) of each function; the style puts braces of functions at the margin."""
    name = start = None
    for number, line in enumerate(source, 1):
        found = FUNCTION.match(line)
        if found and not line.startswith((" ", "#", "typedef")):
            name, start = found[1], number
        elif line == "}" and name:
            yield name, source[start - 2].strip() == "SONIC_WIDE", start, number
            name = None


def report(path: Path, command: list[str]) -> None:
    """Prints one line a function."""
    output = subprocess.run([*command, *FLAGS, path], cwd=ROOT, capture_output=True, text=True, check=True).stderr
    loops = {}
    for line, width in re.findall(rf"{path.name}:(\d+):\d+: optimized: loop vectorized using (\d+) byte", output):
        loops.setdefault(int(line), set()).add(int(width))
    for name, wide, first, last in functions(path.read_text().splitlines()):
        inside = {line: widths for line, widths in loops.items() if first <= line <= last}
        if inside or wide:
            text = ", ".join(
                f"line {line}: {'/'.join(map(str, sorted(widths)))} bytes" for line, widths in sorted(inside.items())
            )
            print(f"  {name}{' (wide)' if wide else ''}: {text or 'no loop of its own'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compiler", default="gcc", help="a GCC, also one for another processor")
    parser.add_argument("--include", action="append", default=[], metavar="DIR", help="folder of headers")
    parser.add_argument("files", nargs="*", metavar="FILE.c", help="else all of csrc/gate")
    options = parser.parse_args()
    if not shutil.which(options.compiler):
        sys.exit(f"Install {options.compiler}: it is not there (for Arm: apt-get install g++-aarch64-linux-gnu).")
    paths = [Path(name).resolve() for name in options.files] or sorted((ROOT / "csrc" / "gate").glob("*.c"))
    for path in paths:
        print(path.relative_to(ROOT))
        report(path, [options.compiler, *(f"-I{folder}" for folder in options.include)])


if __name__ == "__main__":
    main()
