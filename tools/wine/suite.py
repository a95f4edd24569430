"""Tests a wheel for Windows in Windows' own Python under Wine: its commands, then the tests, folder by folder.

    python -m tools.wine.suite [--wheel dist/*.whl] [--python 3.13] [--torch 2.13.0] [--only commands] [TESTS...]
    python -m tools.wine.suite --only share      sums up the logs of runs of some folders and files; later ones replace

`make test-windows` builds the wheel and calls this. Logs are build/wine/logs/*.log. At the end it prints:

- the tests that Linux collects (where the extension is built; else the share is of what Windows collects);
- those among them that ask the sources or the machine that builds (share.NOT_THE_PRODUCT), which are not run;
- those of the rest that ran under Wine, and those that were skipped there, by reason, whatever the reason;
- the share of the rest that did not run.

Exits 0 when every command did its work, every test passed or was skipped with its reason, and at most 4 % of the rest
did not run.
"""

import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tools import convert_face_models

from . import environment, installed, machine, share

LOGS = installed.PLACE / "logs"
FOLDER_SECONDS = 5400
TEST_SECONDS = 300
MOST_STARTS = 6  # of a folder's run, when tests end the process
RESULT = re.compile(r"^(tests[\w/\\.-]+::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b *(.*?)\s*(?:\[ *\d+%\])?$")
STARTED = re.compile(r"^(tests[\w/\\.-]+::.+?)\s*(?:$|Windows fatal exception|wine: |Fatal Python error|Timeout \()")
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
    left_out = {folder / name for name in share.files_left_out(folder)}
    found = {path.parent for path in folder.glob("tests/*/test_*.py") if path not in left_out}
    return [*share.PRODUCT, *sorted(path.relative_to(folder).as_posix() for path in found)]


def run_part(windows: machine.Machine, folder: Path, part: str) -> dict[str, tuple[str, str]]:
    """{test: (result, reason)}."""
    log = LOGS / (part.replace("/", "-").removesuffix(".py") + ".log")
    log.write_bytes(b"")

    def read(line: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(line)

    options = ["-vv", "-rs", "--tb=short", "-p", "no:cacheprovider", "-o", f"faulthandler_timeout={TEST_SECONDS}"]
    options += ["-o", "faulthandler_exit_on_timeout=true", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
    options += [f"--ignore={name}" for name in share.files_left_out(folder) if name.startswith(f"{part}/")]
    temporary = machine.windows_path(installed.PLACE / "tmp" / part.replace("/", "-"))
    over = folder / f"done-{log.stem}.txt"
    pytest = ["-m", "pytest", *options, f"--basetemp={temporary}", part, f"@{over.name}"]
    for _ in range(MOST_STARTS):
        done = results_in(log) if log.stat().st_size else {}
        over.write_text("".join(f"--deselect={name}\n" for name in done if "::" in name), "utf-8")
        status = installed.run(windows, folder, pytest, FOLDER_SECONDS, each_line=read)
        if is_whole(log):
            break
        read(f"\nended with status {status}\n")
        name = running_test(log)
        if name is None:
            break
        read(f"{name} ERROR (it ended the process)\n")
    return results_in(log)


def is_whole(log: Path) -> bool:
    """Whether it ends with pytest's last line. The exit status does not tell: that of a crash is one of pytest's."""
    lines = [line for line in log.read_text("utf-8").splitlines() if line.strip()]
    return bool(lines and SUMMARY.search(lines[-1]))


def running_test(log: Path) -> str | None:
    """The test that the process ended in, or after."""
    found = None
    for line in log.read_text("utf-8").splitlines():
        if match := RESULT.match(line.rstrip()) or STARTED.match(line):
            found = match[1].replace("\\", "/")
    return found


def results_in(log: Path) -> dict[str, tuple[str, str]]:
    """{test: (result, reason)}; a run that ended before pytest's last line is an ERROR, whatever its exit status."""
    results = {}
    for line in log.read_text("utf-8").splitlines():
        if match := RESULT.match(line.rstrip()):
            results[match[1].replace("\\", "/")] = (match[2], match[3])
    if not is_whole(log):
        results[f"{log.stem} (ended early; the end of {log.name} says where)"] = ("ERROR", "")
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
    parser.add_argument("--only", choices=("commands", "tests", "share"))
    parser.add_argument("tests", nargs="*", help="folders and files; all of them")
    chosen = parser.parse_args()
    if chosen.only == "share":
        logs = sorted(LOGS.glob("tests-*.log"), key=lambda log: log.stat().st_mtime)
        return not summed_up({name: result for log in logs for name, result in results_in(log).items()})
    wheel = (chosen.wheel or installed.newest_wheel()).resolve()
    windows = machine.started(chosen.python, chosen.torch)
    folder = installed.lay_out(wheel, chosen.python)
    with suppress(subprocess.SubprocessError, SystemExit):  # then the tests that compare with them are skipped
        convert_face_models.lay_models(installed.ROOT / ".cache" / "face_models")
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
    too_many = bool(results) and not chosen.tests and not summed_up(results)
    return bool(failed or kinds["FAILED"] or kinds["ERROR"] or too_many)


def summed_up(results: dict[str, tuple[str, str]]) -> bool:
    """Prints what the whole suite's results are of; whether enough of it ran."""
    print(line("all", count(results), 0))
    found = share.Share(share.collected_here(), results)
    print(*found.lines(), sep="\n", flush=True)
    return found.left_out <= share.MOST_LEFT_OUT


if __name__ == "__main__":
    sys.exit(main())
