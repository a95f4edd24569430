"""Loads the extension, or explains why it does not load: numbered causes, each with the remedy first, then the
loader's own message."""

import hashlib
import importlib
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..errors import InstallError, is_out_of_memory, shortage
from . import binary, versions

PACK = Path(__file__).absolute().parents[2]  # as it was found: links are not resolved
PACKAGE = __package__.rpartition(".")[0]
EXTENSION = "_sonic"
AN_OPERATOR = "face_find"  # registered by register_operators


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


class Cause(NamedTuple):
    remedy: str
    reason: str
    certain: bool = True  # rules out all other causes


class Unfit(Exception):
    """The file exists and cannot be used; the text says why."""


def import_extension():
    path = binary.find()
    flaw = binary.flaw(path) if path else None
    if flaw:
        raise Unfit(f"{path} is {flaw}")
    # loads libtorch into the process: the extension links to what is already loaded
    torch = importlib.import_module("torch")
    old = versions.too_old("torch", torch.__version__)
    if old:
        raise Unfit(old)
    extension = importlib.import_module(f".{EXTENSION}", PACKAGE)
    made_for = getattr(extension, "build_info", dict)().get("version")
    if made_for != __version__:
        raise Unfit(f"{extension.__file__} is of version {made_for}, the files around it are of version {__version__}")
    return extension


def register(extension):
    """The operators, in a dispatcher namespace per file: two copies of the package in a process must not clash."""
    path = os.path.realpath(extension.__file__)
    stat = os.stat(path)
    space = "sonic_" + hashlib.sha256(f"{path}\n{stat.st_mtime_ns}\n{stat.st_size}".encode()).hexdigest()[:16]
    extension.register_operators(space)
    operators = getattr(sys.modules["torch"].ops, space)
    if not hasattr(operators, AN_OPERATOR):
        raise RuntimeError(f"libtorch has another library under the names {space}::*, and none of {path}")
    return operators


def explain(error: Exception) -> str:
    """The most likely remedy, then the causes, then what was raised."""
    found = [cause for cause in (rule(error) for rule in RULES) if cause]
    rebuild = Cause(f"Run `{command()}`", "it builds the compiled part for this Python and this system")
    causes = [cause for cause in found if cause.certain] or [*found, rebuild]
    head = f"{causes[0].remedy}, then start again: a part of the Sonic nodes does not load. Likely causes:"
    lines = [f"  {number}. {cause.remedy}: {cause.reason}." for number, cause in enumerate(causes, 1)]
    original = [] if isinstance(error, Unfit) else [f"Original error: {type(error).__name__}: {error}"]
    return "\n".join([head, *lines, *original])


def command() -> str:
    """The command that provides the compiled part: a build in a checkout or archive, else a reinstallation."""
    if (PACK / "Makefile").is_file():
        return f'make -C "{PACK}" build PYTHON="{sys.executable}"'
    return f'"{sys.executable}" -m pip install --force-reinstall --no-deps sonic_talking_portrait-{__version__}-*.whl'


# Rules: each maps what was raised to a cause or None.


def library_missing(error):
    """A Python package is not installed, or torch does not load."""
    name = getattr(error, "name", None)
    if isinstance(error, ModuleNotFoundError) and name and not name.startswith(PACKAGE):
        return Cause(
            f'Run `"{sys.executable}" -m pip install {name}`', f"{versions.title(name)} is not installed in this Python"
        )
    if not isinstance(error, Unfit) and not hasattr(sys.modules.get("torch"), "ops"):
        return Cause(
            f'Install PyTorch again until `"{sys.executable}" -c "import torch"` is silent',
            "PyTorch itself does not load",
        )
    return None


def old_library(name):
    def rule(error):
        module = sys.modules.get(versions.MODULES.get(name, name))
        old = versions.too_old(name, module.__version__) if hasattr(module, "__version__") else None
        return Cause(*old.split(": ")) if old else None

    return rule


def numpy_refused(error):
    if isinstance(error, ModuleNotFoundError) or not re.search(
        r"numpy|multiarray|C-?API version|ABI version", str(error), re.IGNORECASE
    ):
        return None
    version, least = (
        getattr(sys.modules.get("numpy"), "__version__", "of this Python"),
        versions.text(versions.MINIMUM["numpy"]),
    )
    return Cause(f"Update NumPy to {least} or newer", f"the compiled part could not connect to NumPy {version}")


def file_missing(error):
    if binary.find():
        return None
    return Cause(
        f"Run `{command()}`", f"the compiled part is not in {binary.FOLDER}; the source code alone does not contain it"
    )


def file_unfit(error):
    if not isinstance(error, Unfit) or str(error).startswith("Update"):
        return None
    return Cause(f"Run `{command()}`", str(error))


def other_libc(error):
    wanted = binary.needed_libc(str(error))
    if wanted:
        return Cause(
            f"Run `{command()}`", f"the file needs {wanted} and this system is older; a build on this system fits it"
        )
    if re.search(r"ld-linux|ld-musl|libc\.so\.6|libc\.musl", str(error)):
        return Cause(f"Run `{command()}`", "the file was built for another C library (glibc, musl) than this system's")
    return None


def symbol_missing(error):
    found = re.search(
        r"undefined symbol: (\w+)|symbol not found in flat namespace '_?(\w+)'|(\w+): symbol not found", str(error)
    )
    if not found and "procedure could not be found" not in str(error):
        return None
    symbol = next(filter(None, found.groups())) if found else "a function that the file needs"
    if re.match(r"_?Py", symbol):
        return Cause(f"Use Python {versions.text(versions.MINIMUM['python'])} or newer", f"this Python has no {symbol}")
    if symbol.startswith(("torch_", "aoti_torch_")) or not found:
        return Cause(
            f"Install PyTorch {versions.text(versions.MINIMUM['torch'])} or newer from pytorch.org",
            f"the installed one ({sys.modules['torch'].__version__}) has no {symbol}",
            certain=False,
        )
    return Cause(
        f"Run `{command()}`", f"a library on this system has changed since the file was built: it has no {symbol}"
    )


def shared_library_missing(error):
    found = re.search(
        r"(\S+): cannot open shared object file|Library not loaded: (\S+)|Error loading shared library (\S+):",
        str(error),
    )
    if not found:
        return None
    name = next(filter(None, found.groups()))
    if "torch" in name or "libc10" in name:
        return Cause("Install PyTorch again", f"the installed one did not load {name}", certain=False)
    return Cause(f"Run `{command()}`", f"the file was built with {name}, which is not on this system")


def second_copy(error):
    """Unlikely, since copies have namespaces of their own; it is the cause when libtorch refuses the names."""
    module = sys.modules.get(f"{PACKAGE}.{EXTENSION}")
    others = sorted(
        {
            str(getattr(other, "__file__", ""))
            for name, other in list(sys.modules.items())
            if name.endswith(f".{EXTENSION}") and other is not None and other is not module
        }
    )
    if not others:
        return None
    return Cause(
        "Keep one copy of this pack", f"another one is already loaded, from {Path(others[0]).parent}", certain=False
    )


RULES = (
    library_missing,
    old_library("torch"),
    old_library("numpy"),
    file_missing,
    file_unfit,
    numpy_refused,
    other_libc,
    symbol_missing,
    shared_library_missing,
    second_copy,
)
