"""Runs programs of the Windows Python.

    python -m tools.wine.machine [--python 3.13] [--torch 2.13.0] -- -c "import torch; print(torch.__version__)"

Standard input and output are pipes: with plain files, Python 3.13 does not start under Wine 8.
"""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import environment


def windows_path(path: Path) -> str:
    """As programs under Wine see it: drive Z: is the root."""
    return "Z:" + str(Path(path).absolute()).replace("/", "\\")


def printed(line: str) -> None:
    print(line, end="", flush=True)


@dataclass(frozen=True)
class Machine:
    """A Windows Python and the Wine prefix that it runs in."""

    python: Path  # the folder of python.exe
    prefix: Path

    def start(
        self, arguments: list[str], folder: Path | None = None, variables: dict[str, str] | None = None
    ) -> subprocess.Popen:
        """python.exe, whose output is to be read from `stdout`; `kill` ends it."""
        process = subprocess.Popen(
            [environment.BIN / "wine64", self.python / "python.exe", *arguments],
            cwd=folder,
            env={**environment.variables(self.prefix), **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        process.stdin.close()
        return process

    def run(
        self,
        arguments: list[str],
        timeout: float,
        folder: Path | None = None,
        variables: dict[str, str] | None = None,
        each_line: Callable[[str], None] = printed,
    ) -> int | None:
        """Passes each line that python.exe prints; its exit status, or None if it was stopped after `timeout` seconds.

        The end of the process ends the wait: what it started may hold the pipe longer."""
        process = self.start(arguments, folder, variables)

        def read() -> None:
            for line in process.stdout:
                each_line(line)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            process.kill()
            process.wait()
        reader.join(5)
        return status


def started(python: str, torch: str) -> Machine:
    """The machine, ready to run programs; made first where it is not there."""
    folder, prefix = environment.prepared(python, torch)
    environment.start(prefix)
    return Machine(folder, prefix)


def main() -> int:
    parser = environment.options(__doc__.splitlines()[0])
    parser.add_argument("--timeout", type=float, default=300, help="seconds")
    parser.add_argument("arguments", nargs="*", help="of python.exe")
    chosen = parser.parse_args()
    status = started(chosen.python, chosen.torch).run(chosen.arguments, chosen.timeout)
    if status is None:
        sys.exit(f"Give it longer (--timeout): python.exe was stopped after {chosen.timeout:g} seconds.")
    return status


if __name__ == "__main__":
    sys.exit(main())
