"""Names of files that come from elsewhere, such as a workflow's: which of them stay inside the folder they are meant
for, judged before the file system is asked."""

from __future__ import annotations

import os
import re

WINDOWS = os.name == "nt"
SEPARATORS = re.compile(r"[/\\]")
ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")  # on any system: UNC paths and drives too
# Windows opens these as devices in every folder, with any extension (Naming Files, Paths, and Namespaces)
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3])[ ]*([.:].*)?", re.IGNORECASE)


def is_device(path: str | os.PathLike, windows: bool = WINDOWS) -> bool:
    """Whether Windows takes the last part of the path for a device; False on other systems."""
    name = SEPARATORS.split(os.fspath(path))[-1]
    return windows and DEVICES.fullmatch(name) is not None


def problem_of(name: object, windows: bool = WINDOWS) -> str | None:
    """A clause about why this cannot be the name of a file in a folder, relative to it; None if it can.

    Refused are other types than str, empty names, NUL, absolute paths of any system and every `..`; on Windows also
    devices, alternate data streams (`a:b`) and parts that end in a dot or space, which Windows drops.
    """
    if not isinstance(name, str):
        return "is not the name of a file"
    if not name.strip():
        return "is empty"
    if "\0" in name or not can_exist(name):
        return "has characters that no file name has"
    if ABSOLUTE.match(name):
        return "is an absolute path"
    parts = SEPARATORS.split(name)
    if ".." in parts:
        return "leads out of the folder"
    if windows and any(is_device(part, True) or ":" in part or part not in (".", part.rstrip(". ")) for part in parts):
        return "is a device, a stream, or ends in a dot or space"
    return None


def can_exist(name: str) -> bool:
    """Whether the system can have such a name: lone surrogates stand for bytes that are not UTF-8, in one range."""
    try:
        os.fsencode(name)
    except UnicodeError:
        return False
    return True


def is_inside(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Whether the path is in the folder, or in one of its folders, when links are followed."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return os.path.normcase(real).startswith(os.path.join(os.path.normcase(root), ""))
