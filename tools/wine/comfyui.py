"""Runs the real ComfyUI server, on the CPU, in the Windows Python under Wine, with the registry's archive unpacked into
its custom_nodes, and has it make videos with the draft engine.

    python -m tools.wine.comfyui --comfyui FOLDER [--archive dist/*.zip] [--only draft,cancel]

FOLDER is a checkout of ComfyUI (tried with 0.3.64); nothing is written into it. Run this by hand, it is not part of CI:
some minutes on two idle processors, and at the first time 60 MB of packages. Exits 0 when the server started, imported
the pack, and every case of comfyui_cases.py had its expected end. Folders, log and videos stay in build/wine/.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from tools.comfyui_client import Failed

from . import comfyui_cases
from .comfyui_server import PACK, PYTHON, ROOT, SERVER_LOG, TORCH, Server, lay_out
from .machine import started


def newest_archive() -> Path:
    found = sorted((ROOT / "dist").glob(f"{PACK}-*.zip"), key=os.path.getmtime)
    if not found:
        sys.exit("Type make pack first: dist/ has no archive.")
    return found[-1]


def run_cases(server: Server, names: list[str]) -> list[str]:
    """The names of the cases that failed."""
    failed = []
    for name in names:
        begun, end = time.monotonic(), "passed"
        try:
            found = comfyui_cases.CASES[name](server)
        except Failed as error:
            failed, end, found = [*failed, name], "FAILED", str(error)
        print(f"{name:10} {end} in {time.monotonic() - begun:5.1f} s: {found}", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--comfyui", type=Path, required=True, help="a checkout of ComfyUI")
    parser.add_argument("--archive", type=Path, help="of make pack; the newest in dist/")
    parser.add_argument("--only", default=",".join(comfyui_cases.CASES), help="cases, with commas between them")
    chosen = parser.parse_args()
    if not (chosen.comfyui / "main.py").is_file():
        sys.exit(f"Set --comfyui to a checkout of ComfyUI: {chosen.comfyui} has no main.py.")
    names = chosen.only.split(",")
    if unknown := set(names) - set(comfyui_cases.CASES):
        sys.exit(f"Set --only to some of {', '.join(comfyui_cases.CASES)}: there is no {', '.join(sorted(unknown))}.")
    lay_out((chosen.archive or newest_archive()).resolve())
    with Server(started(PYTHON, TORCH), chosen.comfyui.resolve()) as server:
        print(f"start      passed in {server.start_seconds:5.1f} s", flush=True)
        failed = run_cases(server, names)
    if failed:
        print(f"Failed: {', '.join(failed)}. The server's log is {SERVER_LOG}.", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
