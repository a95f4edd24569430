"""Loads the extension, or explains why it does not load (causes.py)."""

import ctypes
import hashlib
import importlib
import logging
import os
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from .. import __version__
from ..errors import InstallError, is_out_of_memory, shortage
from . import binary, gelu, places, versions
from .causes import EXTENSION, MODULE_NOT_FOUND, PACKAGE, Missing, Unfit, explain
from .places import PACK

__all__ = ["PACK", "load"]

AN_OPERATOR = "face_find"  # registered by register_operators
# LOAD_LIBRARY_SEARCH_DEFAULT_DIRS and _DLL_LOAD_DIR: where Python has Windows look for the DLLs of an extension.
SEARCHED_FOLDERS = 0x1000 | 0x100

log = logging.getLogger(__name__)


def load():
    """(torch, the extension, its namespace in torch.ops)."""
    try:
        extension = import_extension()
        return sys.modules["torch"], extension, register(extension)
    except Exception as raised:  # whatever it is, the user gets a remedy
        error = raised
    if is_out_of_memory(error):
        raise shortage(error) from error
    raise InstallError(explain(error)) from error


def import_extension():
    """The first candidate that loads; raises the error of the first that does not."""
    paths = places.candidates()
    errors = {path: Unfit(f"{path} is {flaw}") for path in paths if (flaw := binary.flaw(path))}
    if paths and len(errors) == len(paths):
        raise errors[paths[0]]
    # loads libtorch into the process: the extension links to what is already loaded
    old = versions.too_old("torch", importlib.import_module("torch").__version__)
    if old:
        raise Unfit(old)
    for number, path in enumerate(paths):
        if path in errors:
            continue
        try:
            extension = load_file(path)
        except Exception as error:  # the next one may load
            if is_out_of_memory(error):
                raise
            errors[path] = error
            continue
        report_passed_over({other: errors[other] for other in paths[:number]}, path)
        return extension
    raise errors[paths[0]] if paths else Missing("the compiled part is absent")


def load_file(path: Path):
    """The module of this file, which may have any name and be in any folder."""
    name = f"{PACKAGE}.{EXTENSION}"
    spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, str(path)))
    try:
        extension = module_from_spec(spec)
        spec.loader.exec_module(extension)
    except ImportError as error:
        error.windows_code = windows_code(path)
        raise
    made_for = getattr(extension, "build_info", dict)().get("version")
    if made_for != __version__:
        raise Unfit(f"{path} is of version {made_for}, the files around it are of version {__version__}")
    sys.modules[name] = extension
    return extension


def windows_code(path: Path) -> int | None:
    """Windows' number for what an ImportError says only in words, in the language of that Windows."""
    if sys.platform != "win32":
        return None
    try:
        ctypes.WinDLL(str(path), winmode=SEARCHED_FOLDERS)
    except FileNotFoundError:  # ctypes keeps this number to itself
        return MODULE_NOT_FOUND
    except OSError as error:
        return error.winerror
    return None


def report_passed_over(errors: dict[Path, Exception], loaded: Path) -> None:
    for path, error in errors.items():
        log.warning("Delete %s or build it again: %s is used instead, because: %s", path, loaded, error)


def register(extension):
    """The operators, in a dispatcher namespace per file: two copies of the package in a process must not clash."""
    path = os.path.realpath(extension.__file__)
    stat = os.stat(path)
    space = "sonic_" + hashlib.sha256(f"{path}\n{stat.st_mtime_ns}\n{stat.st_size}".encode()).hexdigest()[:16]
    extension.register_operators(space)
    operators = getattr(sys.modules["torch"].ops, space)
    if not hasattr(operators, AN_OPERATOR):
        raise RuntimeError(f"libtorch has another library under the names {space}::*, and none of {path}")
    gelu.define(sys.modules["torch"], space)
    return operators
