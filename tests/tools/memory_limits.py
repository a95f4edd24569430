"""Runs each command under limits on address space (RLIMIT_AS) from little to enough.

    python -m tests.tools.memory_limits [--steps 10] [--commands render,check] [--from-mb 200] [--to-mb 3000]

Every run must end with 0 (or 1, a rejected picture) or with exit code 5 and its sentence, without a traceback and with
nothing left in the output folder. Prints a table: the limit, the exit code, the last line.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tools.signal_matrix import COMMANDS, Command, clean, command_line, environment, left_over, make_inputs

PATIENCE_S = 120
LIMITED = "import resource as r, runpy, sys; r.setrlimit(r.RLIMIT_AS, ({0}, {0})); sys.argv[0] = 'sonic'; {1}"
MODULE = "runpy.run_module('sonic_nodes', run_name='__main__', alter_sys=True)"
OTHERS = (
    Command("sync", ("sync", "late.mp4"), lambda path: False),
    Command("check", ("check", "pictures", "--jobs", "1"), lambda path: False),
    Command("models", ("models", "--models", "models", "--json"), lambda path: False),
    Command("doctor", ("doctor",), lambda path: False),
)


def limited(command: Command, limit_mb: int) -> list[str]:
    """The command line under a limit; the limit is set before anything but Python itself is loaded."""
    python, kind, program, *arguments = command_line(command)
    return [python, "-c", LIMITED.format(limit_mb << 20, MODULE if kind == "-m" else program), *arguments]


def judge(command: Command, folder: Path, limit_mb: int) -> tuple[str, int, str]:
    """("ok" or what is wrong, exit code, last line of the messages)."""
    out = clean(folder)
    ended = subprocess.run(
        limited(command, limit_mb),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    wrong, whole = left_over(command, out)
    last = (ended.stderr.strip().splitlines() or [""])[-1]
    problem = ""
    if "Traceback" in ended.stderr or "Exception ignored" in ended.stderr:
        problem = "a traceback"
    elif wrong:
        problem = f"{wrong} are left"
    elif ended.returncode == 5:
        problem = "" if last.startswith("sonic: ") and "memory" in last else "no sentence"
    elif ended.returncode not in ((0, 1, 7) if command.name in ("models", "doctor") else (0, 1)):
        problem = f"exit code {ended.returncode}"
    return problem and f"wrong: {problem}" or "ok", ended.returncode, last


def main() -> int:
    commands = [*COMMANDS, *OTHERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--from-mb", type=int, default=200)
    parser.add_argument("--to-mb", type=int, default=3000)
    parser.add_argument("--commands", default=",".join(command.name for command in commands))
    options = parser.parse_args()
    chosen = [command for command in commands if command.name in options.commands.split(",")]
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder, [command.name for command in COMMANDS])
        for command in chosen:
            for step in range(options.steps):
                ratio = (options.to_mb / options.from_mb) ** (step / max(1, options.steps - 1))
                limit_mb = round(options.from_mb * ratio)
                found, code, last = judge(command, folder, limit_mb)
                wrong += found != "ok"
                print(f"{command.name:16}{limit_mb:6} MB  code {code:4}  {found}  {last[:150]}", flush=True)
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
