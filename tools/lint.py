"""`make lint`: ruff, clang-format, and the lines, functions and files that grew past their limits.

    python -m tools.lint           check, then print the longest functions and files
    python -m tools.lint --fix     format first
    python -m tools.lint --sizes   only measure: needs neither ruff nor clang-format

Limits: 120 columns a line, 60 lines a function and 12 in the median, 500 lines a file. The lines of a function count
from its signature to its end, with the comments inside and without those above.
"""

import argparse
import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, FUNCTION_LINES, MEDIAN_LINES, FILE_LINES = 120, 60, 12, 500
RUFF = [sys.executable, "-m", "ruff"]
C_SUFFIXES, CODE_SUFFIXES = (".c", ".h", ".cpp"), (".c", ".h", ".cpp", ".py", ".sh", ".js")
LINE_SUFFIXES = (*CODE_SUFFIXES, ".md", ".toml", ".yml")
# In the style of .clang-format a body ends with a brace in the first column, or stands on the line of its signature.
C_FUNCTION = re.compile(r"^[A-Za-z_][^;{}#=()]*?\b(\w+)\s*\([^;{}]*\)\s*\{(?:[^\n]*\}$|\n(?:.*\n)*?\})", re.MULTILINE)


class Function(NamedTuple):
    lines: int
    name: str
    place: str


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.splitlines() if not name.startswith("tests/fuzz/corpus/")]
    return [path for path in paths if path.is_file()]


def c_functions(text: str, place: str) -> Iterator[Function]:
    for found in C_FUNCTION.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Function(found[0].count("\n") + 1, found[1], f"{place}:{line}")


def python_functions(text: str, place: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield Function(node.end_lineno - node.lineno + 1, node.name, f"{place}:{node.lineno}")


def functions_of(paths: list[Path]) -> list[Function]:
    found: list[Function] = []
    for path in paths:
        place = path.relative_to(ROOT).as_posix()
        if path.suffix in C_SUFFIXES:
            found += c_functions(path.read_text("utf-8"), place)
        elif path.suffix == ".py":
            found += python_functions(path.read_text("utf-8"), place)
    return sorted(found, reverse=True)


def long_lines(paths: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {len(line)} columns"
        for path in paths
        if path.suffix in LINE_SUFFIXES or path.name == "Makefile"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > COLUMNS
    ]


def file_lengths(paths: list[Path]) -> list[tuple[int, str]]:
    code = [path for path in paths if path.suffix in CODE_SUFFIXES]
    return sorted(
        ((path.read_text("utf-8").count("\n"), path.relative_to(ROOT).as_posix()) for path in code), reverse=True
    )


def problems(paths: list[Path]) -> list[str]:
    """Everything over a limit, a line each."""
    functions = functions_of(paths)
    median = statistics.median(function.lines for function in functions)
    return [
        *long_lines(paths),
        *(f"{f.place}: {f.name} has {f.lines} lines" for f in functions if f.lines > FUNCTION_LINES),
        *(f"{name}: {lines} lines" for lines, name in file_lengths(paths) if lines > FILE_LINES),
        *([f"the median function has {median} lines"] if median > MEDIAN_LINES else []),
    ]


def print_longest(paths: list[Path]) -> None:
    functions = functions_of(paths)
    lengths = sorted(function.lines for function in functions)
    print(
        f"{len(functions)} functions: median {lengths[len(lengths) // 2]}, 90 % {lengths[len(lengths) * 9 // 10]} lines"
    )
    print("longest functions:", *(f"  {f.lines:3d}  {f.name}, {f.place}" for f in functions[:10]), sep="\n")
    print("longest files:", *(f"  {lines:3d}  {name}" for lines, name in file_lengths(paths)[:10]), sep="\n")


def run_linters(paths: list[Path], fix: bool) -> bool:
    """Whether ruff and clang-format have nothing to say."""
    c_files = [path for path in paths if path.suffix in C_SUFFIXES]
    clang_format = [str(Path(sys.executable).with_name("clang-format")), *map(str, c_files)]
    commands = [[*RUFF, "check", "."], [*RUFF, "format", "--check", "."], [*clang_format, "--dry-run", "-Werror"]]
    if fix:
        commands = [[*RUFF, "check", "--fix", "."], [*RUFF, "format", "."], [*clang_format, "-i"]]
    codes = [subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands]
    return not any(codes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", action="store_true", help="only measure lines, functions and files")
    parser.add_argument("--fix", action="store_true", help="format, instead of only checking the format")
    options = parser.parse_args()
    paths = tracked_files()
    clean = options.sizes or run_linters(paths, options.fix)
    print_longest(paths)
    over = problems(paths)
    print(*over, sep="\n", end="\n" if over else "")
    return 0 if clean and not over else 1


if __name__ == "__main__":
    sys.exit(main())
