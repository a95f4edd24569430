"""Writes a wheel anew so that two builds of the same sources give the same bytes.

    python -m tools.cross.archive build/wheel/raw/x.whl dist

A wheel is a ZIP archive: its files get one date, one mode and the order of their names, with the metadata last, as
wheels have it. The files' contents, and so the hashes in RECORD, stay.
"""

import stat
import sys
import zipfile
from pathlib import Path

DATE = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP archive can have
MODE = stat.S_IFREG | 0o644


def rewrite(source: Path, folder: Path) -> Path:
    """The wheel `source` in `folder`; one of the same name is replaced when the new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    target, unfinished = folder / source.name, folder / f"{source.name}.unfinished"
    try:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(unfinished, "w") as new:
            for name in sorted(old.namelist(), key=lambda name: (".dist-info/" in name, name)):
                if not name.endswith("/"):
                    entry = zipfile.ZipInfo(name, DATE)
                    entry.external_attr, entry.create_system = MODE << 16, 3  # 3: Unix, wherever this runs
                    new.writestr(entry, old.read(name), zipfile.ZIP_DEFLATED, 9)
        return unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


if __name__ == "__main__":
    *sources, place = map(Path, sys.argv[1:])
    for path in sources:
        print(rewrite(path, place))
