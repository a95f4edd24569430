"""Names of files, judged before the file system is asked: those that come from elsewhere, such as a workflow's, must
stay inside the folder they are meant for, and outputs must have names that the system can give.

What Windows makes of a name follows "Naming Files, Paths, and Namespaces" and "Maximum Path Length Limitation" of its
documentation. The functions take `windows`, so that its rules can be tried on every system.
"""

from __future__ import annotations

import ntpath
import os
import re

WINDOWS = os.name == "nt"
SEPARATORS = re.compile(r"[/\\]")
ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")  # on any system: UNC paths and drives too
# Windows opens these as devices in every folder, with any extension (Naming Files, Paths, and Namespaces)
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3])[ ]*([.:].*)?", re.IGNORECASE)
# \\.\ and \\?\ lead to everything that the system has a name for: pipes, ports, whole disks. A path in a drive, on a
# server or in a volume without a letter is a file.
NAMESPACE = re.compile(r"([/\\]{2}[.?]|\\\?\?)[/\\]")
FILE_IN_NAMESPACE = re.compile(
    NAMESPACE.pattern + r"([A-Za-z]:[/\\]|UNC[/\\]|Volume\{[0-9a-f-]+\}[/\\]).", re.IGNORECASE
)
ROOT = re.compile(rf"({NAMESPACE.pattern})?([A-Za-z]:)?")
FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
# MAX_PATH is 260, and 12 fewer for a folder. What a path grows by here, at most: /.sonic-...(31)/output/000001.png
LONG_CHARS = 248 - 60
MAX_PART_CHARS = 255  # in UTF-16
MAX_STEM_BYTES = 230  # of a name's 255, which leaves room for an ending


def is_device(path: str | os.PathLike, windows: bool = WINDOWS) -> bool:
    """Whether Windows takes the path for a device or pipe; False on other systems."""
    name = os.fspath(path)
    if not windows:
        return False
    if NAMESPACE.match(name) and not FILE_IN_NAMESPACE.match(name):
        return True
    return DEVICES.fullmatch(SEPARATORS.split(name)[-1]) is not None


def output_problem(path: str | os.PathLike, windows: bool = WINDOWS) -> str | None:
    """A clause about why no file or folder can be made at this path; None if one can. Asked before the path is made
    absolute, which loses trailing dots and spaces on Windows and turns `NUL.txt` into a device."""
    name = os.fspath(path)
    if "\0" in name:
        return "contains a NUL character"
    if not can_exist(name):
        return "has characters that no file name has"
    if not windows:
        return None
    if is_device(name, True):
        return "is a device of Windows, not a file"
    for part in SEPARATORS.split(ROOT.sub("", name, count=1)):
        if found := FORBIDDEN.search(part):
            return f"contains {found[0]!r}, which Windows allows in no name"
        if DEVICES.fullmatch(part):
            return f"contains {part!r}, the name of a device of Windows"
        if part not in (".", "..", part.rstrip(". ")):
            return "has a part that ends in a dot or space, which Windows drops"
        if len(part.encode("utf-16-le", "surrogatepass")) > 2 * MAX_PART_CHARS:
            return f"has a part of more than {MAX_PART_CHARS} characters, the most that Windows allows"
    return None


def system_path(path: str | os.PathLike, windows: bool = WINDOWS, always: bool = False) -> str:
    """The path as the system takes it. On Windows a long one, or `always`, is made absolute and gets the prefix that
    allows 32,767 characters instead of 259; elsewhere it stays as it is. Not for messages."""
    name = os.fspath(path)
    if not windows or NAMESPACE.match(name):
        return name
    whole = ntpath.abspath(name)
    if len(whole) < LONG_CHARS and not always:
        return name
    return rf"\\?\UNC{whole[1:]}" if whole.startswith("\\\\") else rf"\\?\{whole}"


def shown_path(path: str) -> str:
    """For messages: without the prefix of system_path."""
    if path.startswith("\\\\?\\UNC\\"):
        return "\\\\" + path[8:]
    return path.removeprefix("\\\\?\\")


def allowed_stem(stem: str, windows: bool = WINDOWS) -> str:
    """A name without its ending, made of another file's or an address's: what Windows forbids in names becomes `_`
    there, and no name gets longer than file systems allow."""
    if windows:
        stem = FORBIDDEN.sub("_", SEPARATORS.sub("_", stem))
    while len(os.fsencode(stem)) > MAX_STEM_BYTES:
        stem = stem[:-1]
    return stem


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
