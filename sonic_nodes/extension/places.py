"""Where the compiled part may be: beside the package's files, where a build or pip puts it; in the folder that the
registry's archive brings, one file a system; in an installed wheel, which serves a clone in custom_nodes, too."""

import importlib.metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from .. import __version__
from . import targets

FOLDER = Path(__file__).absolute().parents[1]
PACK = FOLDER.parent  # as it was found: links are not resolved
ARCHIVE_FOLDER = "binaries"
PROJECT = "sonic-talking-portrait"


def archive_name(target: targets.Target, version: str = __version__) -> str:
    """The file's name in the archive. It has the version: Windows replaces no file that a ComfyUI has loaded, so an
    update must not need that, and a file that an older version left is not taken for this one's."""
    return f"_sonic-{version}-{target.name}{target.suffix}"


def candidates(folder: Path = FOLDER) -> list[Path]:
    """The files to try, best first: this machine's own build, the archive's for this system, an installed wheel's,
    and last what lies beside the package for another system, which explains why nothing loads."""
    target = targets.find(targets.this())
    native = [folder / f"_sonic{suffix}" for suffix in EXTENSION_SUFFIXES]
    archived = [folder / ARCHIVE_FOLDER / archive_name(target)] if target else []
    others = sorted(path for path in folder.glob("_sonic.*") if path.suffix in (".so", ".pyd", ".dylib"))
    found = [path for path in [*native, *archived, *in_installed_wheel(), *others] if path.is_file()]
    return list(dict.fromkeys(found))


def in_installed_wheel() -> list[Path]:
    """In the folder of the wheel that pip installed. An editable installation has no files there, and what a build
    leaves in a checkout is no wheel."""
    try:
        installed = importlib.metadata.distribution(PROJECT)
    except importlib.metadata.PackageNotFoundError:
        return []
    if installed.read_text("WHEEL") is None:
        return []
    return [Path(str(installed.locate_file(f"sonic_nodes/_sonic{suffix}"))) for suffix in EXTENSION_SUFFIXES]


def archived(folder: Path = FOLDER) -> list[Path]:
    """All that the archive brought, for whatever system and of whatever version."""
    return sorted(path for path in (folder / ARCHIVE_FOLDER).glob("_sonic-*") if path.is_file())


def left_over(folder: Path = FOLDER) -> list[Path]:
    """Files of other versions, which an update left because they were in use."""
    return [path for path in archived(folder) if not path.name.startswith(f"_sonic-{__version__}-")]
