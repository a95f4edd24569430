#!/usr/bin/env python3
"""Shows which loops of csrc/gate GCC vectorises with the flags of setup.py, by its report (-fopt-info-vec).

    python -m tools.vectorised [FILE.c ...]

"wide" marks functions that are compiled again for 256-bit vectors (csrc/core/plane.h). One without a loop of its own
calls inline functions with loops, or its loops are unrolled.
"""

import re
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


def report(path: Path) -> None:
    """Prints one line a function."""
    output = subprocess.run(["gcc", *FLAGS, path], cwd=ROOT, capture_output=True, text=True, check=True).stderr
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
    paths = [Path(name).resolve() for name in sys.argv[1:]] or sorted((ROOT / "csrc" / "gate").glob("*.c"))
    for path in paths:
        print(path.relative_to(ROOT))
        report(path)


if __name__ == "__main__":
    main()
