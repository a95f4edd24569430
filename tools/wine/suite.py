"""Tests a wheel for Windows in Windows' own Python under Wine: its commands, then the tests, folder by folder.

    python -m tools.wine.suite [--wheel dist/*.whl] [--python 3.13] [--torch 2.13.0] [--only commands] [TESTS...]

`make test-windows` builds the wheel and calls this. Exits 0 when every command did its work, every test passed or
carries its reason, and at most 4 % are marked as not for Windows. Logs are build/wine/logs/*.log.
"""

import re
import sys
import time
from collections import Counter
from pathlib import Path

from . import environment, installed, machine

LOGS = installed.PLACE / "logs"
# What does not ask the installed product, and why. tools/matrix.sh leaves out the like on Linux.
NOT_THE_PRODUCT = {
    "tests/e2e": "starts a ComfyUI, which is no part of this environment",
    "tests/packaging": "the build, on the Linux machine that builds",
    "tests/test_*.py": "the text of the sources, which is the same on every system",
    "tests/core/test_arena.py": "compiles a part of csrc/ with GCC",
    "tests/core/test_headers.py": "compiles each header of csrc/ with GCC",
    "tests/core/test_thread_pool.py": "compiles a part of csrc/ with GCC",
    "tests/models/test_constants.py": "compares with the text of csrc/",
    "tests/torch/test_example.py": "compiles an example in a header with GCC",
}
PRODUCT = ("tests/test_errors.py",)  # of the files that a pattern above leaves out
MOST_MARKED = 0.04
FOLDER_SECONDS = 1800
TEST_SECONDS = 300
RESULT = re.compile(r"^(tests[\w/\\.-]+::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b *(.*?)\s*(?:\[ *\d+%\])?$")
# "1 failed, 2 passed, 3 skipped in 4.56s", the last line of a whole run
SUMMARY = re.compile(r"\b(passed|failed|skipped|deselected|no tests ran|error|errors)\b.* in [\d.]+s")
MARK = "not for Windows: "  # tests/conftest.py begins the reason of a marked test with it
COMMANDS = {
    "doctor": ["doctor"],
    "render": ["render", "{sample}/portrait.jpg", "{sample}/speech.wav", "-o", "{out}/demo.mp4"],
    "check": ["check", "{sample}/portrait.jpg"],
    "sync": ["sync", "{out}/demo.mp4", "--fix", "{out}/synced.mp4"],
    "smooth": ["smooth", "{out}/demo.mp4", "-o", "{out}/smoothed.mp4"],
}


def run_commands(windows: machine.Machine, folder: Path) -> list[str]:
    """The names of commands that failed."""
    out = folder / "out"
    out.mkdir()
    places = {"sample": "sonic_nodes/assets/sample", "out": "out"}
    failed = []
    for name, arguments in COMMANDS.items():
        begun, lines = time.monotonic(), []
        words = ["-m", "sonic_nodes", *(word.format(**places) for word in arguments)]
        status = installed.run(windows, folder, words, 900, each_line=lines.append)
        good = status == 0
        print(
            f"sonic {name:8}{time.monotonic() - begun:5.0f} s  {'passed' if good else f'FAILED ({status})'}", flush=True
        )
        (LOGS / f"{name}.log").write_text("".join(lines), "utf-8")
        if not good or name == "doctor":
            print("".join(lines), flush=True)
        failed += [] if good else [name]
    return failed


def parts(folder: Path) -> list[str]:
    """The folders and files of tests/ that ask the product."""
    left_out = {path for pattern in NOT_THE_PRODUCT for path in folder.glob(pattern)}
    found = {path.parent for path in folder.glob("tests/*/test_*.py")} - left_out
    return [*PRODUCT, *sorted(path.relative_to(folder).as_posix() for path in found)]


def run_part(windows: machine.Machine, folder: Path, part: str) -> dict[str, tuple[str, str]]:
    """{test: (result, reason)}; a run that ended before pytest's last line is an ERROR, whatever its exit status."""
    results: dict[str, tuple[str, str]] = {}
    log = LOGS / (part.replace("/", "-").removesuffix(".py") + ".log")
    log.write_bytes(b"")
    last = [""]

    def read(line: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(line)
        last[0] = line.strip() or last[0]
        if match := RESULT.match(line.rstrip()):
            results[match[1].replace("\\", "/")] = (match[2], match[3])

    options = ["-vv", "-rs", "--tb=short", "-p", "no:cacheprovider", "-o", f"faulthandler_timeout={TEST_SECONDS}"]
    options += ["-o", "faulthandler_exit_on_timeout=true", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
    options += [f"--ignore={name}" for name in NOT_THE_PRODUCT if name.startswith(f"{part}/")]
    temporary = machine.windows_path(installed.PLACE / "tmp" / part.replace("/", "-"))
    status = installed.run(
        windows, folder, ["-m", "pytest", *options, f"--basetemp={temporary}", part], FOLDER_SECONDS, each_line=read
    )
    if status not in (0, 1, 5) or not SUMMARY.search(last[0]):
        results[f"{part} (ended early, status {status}; the end of {log.name} says where)"] = ("ERROR", "")
    return results


def count(results: dict[str, tuple[str, str]]) -> Counter:
    kinds = Counter(result for result, _ in results.values())
    kinds["marked"] = sum(result == "SKIPPED" and MARK in reason for result, reason in results.values())
    return kinds


def line(name: str, kinds: Counter, seconds: float) -> str:
    failed = kinds["FAILED"] + kinds["ERROR"]
    words = f"{kinds['PASSED'] + kinds['XFAIL']:5} passed {failed:4} failed {kinds['SKIPPED']:4} skipped"
    return f"{name:28}{words}, {kinds['marked']:3} of them marked {seconds:6.0f} s"


def main() -> int:
    parser = environment.options(__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="the newest for Windows in dist/")
    parser.add_argument("--only", choices=("commands", "tests"))
    parser.add_argument("tests", nargs="*", help="folders and files; all of them")
    chosen = parser.parse_args()
    wheel = (chosen.wheel or installed.newest_wheel()).resolve()
    windows = machine.started(chosen.python, chosen.torch)
    folder = installed.lay_out(wheel, chosen.python)
    LOGS.mkdir(exist_ok=True)
    (installed.PLACE / "tmp").mkdir(exist_ok=True)
    print(f"{wheel.name} in Python {chosen.python} with PyTorch {chosen.torch}", flush=True)
    failed = run_commands(windows, folder) if chosen.only != "tests" else []
    results: dict[str, tuple[str, str]] = {}
    for part in [] if chosen.only == "commands" else chosen.tests or parts(folder):
        begun = time.monotonic()
        found = run_part(windows, folder, part)
        results |= found
        print(line(part, count(found), time.monotonic() - begun), flush=True)
        for name, (result, _) in found.items():
            if result in ("FAILED", "ERROR"):
                print(f"    {result} {name}", flush=True)
    kinds = count(results)
    if results:
        print(line("all", kinds, 0))
    too_many = not chosen.tests and kinds["marked"] > MOST_MARKED * sum(kinds[k] for k in kinds if k != "marked")
    if too_many:
        print(f"More than {MOST_MARKED:.0%} of the tests are marked as not for Windows.", file=sys.stderr)
    return bool(failed or kinds["FAILED"] or kinds["ERROR"] or too_many)


if __name__ == "__main__":
    sys.exit(main())
