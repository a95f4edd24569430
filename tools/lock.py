"""Renews the locks of the tools, requirements-dev.txt and tools/requirements-*.txt, from the ranges in *.in.

    .venv/bin/python -m tools.lock             keeps the locked versions that still fit
    .venv/bin/python -m tools.lock --upgrade   takes the newest of everything
    .venv/bin/python -m tools.lock --check     changes nothing, asks pip whether the locks can be installed

A lock names each file of each package by its SHA-256, for every Python from 3.10 on and every platform at once, so
that pip installs what was reviewed or nothing. uv resolves; it is installed in build/lock only. uv ignores the upper
bounds of Requires-Python, so pip is asked afterwards whether each Python can install its part of the lock, from wheels
alone. Linux on x86-64 must; for Windows and macOS it is told.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
UV = "uv==0.13.9"
LOCKS = {
    "requirements-dev.in": "requirements-dev.txt",
    "tools/requirements-wheel.in": "tools/requirements-wheel.txt",
    "tools/requirements-wine.in": "tools/requirements-wine.txt",
}
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MANYLINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)] + ["manylinux2014_x86_64"]
MACOS = [f"macosx_{major}_0_{kind}" for major in range(14, 10, -1) for kind in ("arm64", "universal2")]
# By sys.platform: the rest of a marker's environment, and pip's names of the platform.
PLATFORMS = {
    "linux": ({"os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64"}, MANYLINUX),
    "win32": ({"os_name": "nt", "platform_system": "Windows", "platform_machine": "AMD64"}, ["win_amd64"]),
    "darwin": (
        {"os_name": "posix", "platform_system": "Darwin", "platform_machine": "arm64"},
        [*MACOS, "macosx_10_9_universal2"],
    ),
}


@dataclass(frozen=True)
class Locked:
    """One entry of a lock: a package at a version, for the environments of its marker."""

    requirement: Requirement
    hashes: frozenset[str]

    def applies(self, python: str, platform: str) -> bool:
        environment = {
            "python_version": python,
            "python_full_version": f"{python}.9",
            "sys_platform": platform,
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            **PLATFORMS[platform][0],
        }
        return self.requirement.marker is None or self.requirement.marker.evaluate(environment)


def read(text: str) -> list[Locked]:
    """The entries of a lock."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", ""))
    return [
        Locked(Requirement(entry.split("--hash")[0].strip()), frozenset(re.findall(r"--hash=sha256:(\w+)", entry)))
        for entry in entries
        if entry.strip()
    ]


def pins(entries: list[Locked], python: str, platform: str) -> list[str]:
    """What a Python on a platform installs: at most one version of a package."""
    return [
        f"{entry.requirement.name}{entry.requirement.specifier}" for entry in entries if entry.applies(python, platform)
    ]


def own_python() -> Path:
    """The Python of build/lock, which has uv and a pip that reads metadata without downloading wheels."""
    folder = ROOT / "build" / "lock"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "pip", UV], check=True)
    return python


def refusal(entries: list[Locked], python: str, platform: str) -> str:
    """Why pip would not install this part of a lock; empty if it would."""
    options = [
        "--dry-run",
        "--quiet",
        "--no-deps",
        "--ignore-installed",
        "--only-binary=:all:",
        "--target=build/lock/x",
    ]
    chosen = [f"--python-version={python}", *(f"--platform={name}" for name in PLATFORMS[platform][1])]
    done = subprocess.run(
        [own_python(), "-m", "pip", "install", *options, *chosen, *pins(entries, python, platform)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return "" if done.returncode == 0 else "\n  ".join(errors) or done.stderr


def check(lock: str) -> bool:
    """Prints what pip refuses; whether the lock can be installed on Linux."""
    entries = read((ROOT / lock).read_text("utf-8"))
    print(f"{lock}: {len(entries)} entries, {sum(len(entry.hashes) for entry in entries)} files")
    good = True
    for platform in PLATFORMS:
        for python in PYTHONS:
            problem = refusal(entries, python, platform)
            print(f"  Python {python} on {platform}: {problem or 'can be installed'}", flush=True)
            good = good and (not problem or platform != "linux")
    return good


def renew(source: str, lock: str, upgrade: bool) -> None:
    options = ["--universal", f"--python-version={PYTHONS[0]}", "--generate-hashes", "--only-binary=:all:", "--quiet"]
    command = [own_python(), "-m", "uv", "pip", "compile", *options, *(["--upgrade"] if upgrade else []), "--no-config"]
    told = "--custom-compile-command=.venv/bin/python -m tools.lock"
    subprocess.run([*command, told, source, f"--output-file={lock}"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args()
    if not options.check:
        for source, lock in LOCKS.items():
            renew(source, lock, options.upgrade)
    results = [check(lock) for lock in LOCKS.values()]
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
