"""The compiled parts of the registry's archive: one wheel a system from dist/, their binaries and licences.

    python -m tools.pack_binaries FOLDER [TARGET ...]

copies them into FOLDER, a staged checkout: sonic_nodes/binaries/ and licenses/. Without targets, all of them must be
there. Exits with what to type where a wheel is absent or older than the sources. tools/pack.sh calls it.
"""

import re
import sys
import zipfile
from pathlib import Path

from sonic_nodes import __version__
from sonic_nodes.extension import places, targets

ROOT = Path(__file__).resolve().parents[1]
OWN_LICENSES = {"LICENSE", "THIRD_PARTY.md"}  # in the archive's first folder
SOURCES = ("csrc", "sonic_nodes", "locales", "setup.py", "pyproject.toml")
BUILT = (".so", ".pyd", ".pyc")


def wheel_of(dist: Path, target: targets.Target, version: str) -> Path | None:
    """The newest of this version. A wheel with pip's own tag, linux_x86_64, needs libraries of its machine: it is
    none of these."""
    found = dist.glob(f"sonic_talking_portrait-{version}-{target.tag}")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def newest_source(root: Path) -> float:
    """When the last of the sources was written."""
    places_ = [root / name for name in SOURCES]
    files = [path for place in places_ for path in (place.rglob("*") if place.is_dir() else [place])]
    return max(path.stat().st_mtime for path in files if path.is_file() and path.suffix not in BUILT)


def chosen(names: list[str]) -> list[targets.Target]:
    """The targets of these names; all without names."""
    unknown = [name for name in names if targets.find(name) is None]
    if unknown:
        known = " ".join(target.name for target in targets.TARGETS)
        sys.exit(f"Set BINARIES to some of {known}: {', '.join(unknown)} is none of them.")
    return [target for target in targets.TARGETS if target.name in names or not names]


def wheels(root: Path, wanted: list[targets.Target]) -> dict[targets.Target, Path]:
    """One a target; exits where one is absent or stale, and names all that are."""
    found = {target: wheel_of(root / "dist", target, __version__) for target in wanted}
    written = newest_source(root)
    absent = [target for target, path in found.items() if path is None]
    stale = [target for target, path in found.items() if path and path.stat().st_mtime < written]
    if absent or stale:
        good = [target.name for target in wanted if target not in absent + stale]
        reasons = [f"there is no wheel for {target.title}" for target in absent]
        reasons += [f"that for {target.title} is older than the sources" for target in stale]
        goals = " ".join(target.goal for target in absent + stale)
        fewer = f', or make pack BINARIES="{" ".join(good)}" for an archive without' if good else ""
        sys.exit(f"Type make {goals}{fewer}: {'; '.join(reasons)} (version {__version__}, in dist/).")
    return {target: path for target, path in found.items() if path}


def copy(wheel: Path, target: targets.Target, tree: Path) -> None:
    """The binary and the licences of one wheel, without mode bits: unpacking keeps none."""
    licenses = tree / "licenses"
    binaries = tree / "sonic_nodes" / places.ARCHIVE_FOLDER
    for folder in (licenses, binaries):
        folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        (binaries / places.archive_name(target)).write_bytes(archive.read(f"sonic_nodes/_sonic{target.suffix}"))
        for name in archive.namelist():
            if re.search(r"\.dist-info/licenses/[^/]+$", name) and Path(name).name not in OWN_LICENSES:
                write_once(licenses / Path(name).name, archive.read(name), wheel)


def write_once(path: Path, content: bytes, wheel: Path) -> None:
    """Wheels share libraries, and each of these has one licence."""
    if path.exists() and path.read_bytes() != content:
        sys.exit(f"Build the wheels from the same sources: {path.name} in {wheel.name} differs from another wheel's.")
    path.write_bytes(content)


def main(arguments: list[str]) -> int:
    tree, *names = arguments
    for target, wheel in wheels(ROOT, chosen(names)).items():
        copy(wheel, target, Path(tree))
        print(f"{target.title}: {wheel.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
