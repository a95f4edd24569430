"""Why the extension does not load: rules that each recognise one cause, and the remedies, which depend on the system: a
checkout on Linux compiles the part, other systems get the file that was made for them."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from . import places, targets, versions
from .binary import needed_libc

PACKAGE = __package__.rpartition(".")[0]
EXTENSION = "_sonic"
# Windows System Error Codes
MODULE_NOT_FOUND, PROCEDURE_NOT_FOUND = 126, 127
# access denied; contains a virus; invalid image hash; disabled by policy; blocked by an application control policy
REFUSED = {5, 225, 577, 1260, 4551}
REDISTRIBUTABLE = "https://aka.ms/vs/17/release/vc_redist.x64.exe"


class Cause(NamedTuple):
    remedy: str
    reason: str
    certain: bool = True  # rules out all other causes


class Unfit(Exception):
    """The file exists and cannot be used; the text says why."""


class Missing(Unfit):
    """There is no file at all."""


def explain(error: Exception) -> str:
    """The most likely remedy, then the causes, then what was raised."""
    found = [cause for cause in (rule(error) for rule in RULES) if cause]
    again = Cause(repair(), "it brings the compiled part for this Python and this system")
    causes = [cause for cause in found if cause.certain] or [*found, again]
    head = f"{causes[0].remedy}, then start again: a part of the Sonic nodes does not load. Likely causes:"
    lines = [f"  {number}. {cause.remedy}: {cause.reason}." for number, cause in enumerate(causes, 1)]
    original = [] if isinstance(error, Unfit) else [f"Original error: {type(error).__name__}: {error}"]
    return "\n".join([head, *lines, *original])


def repair() -> str:
    """What provides the compiled part here. Only Linux is expected to have make and a compiler."""
    if can_build():
        return f'Run `make -C "{places.PACK}" build PYTHON="{sys.executable}"`'
    target = targets.find(targets.this())
    if target is None:
        return targets.OTHERS.get(targets.this(), ("", "Use one of the systems that there are builds for"))[1]
    pip = f'`"{sys.executable}" -m pip install --force-reinstall --no-deps {wheel_name(target)}`'
    if is_pack():
        return f'Unpack sonic-talking-portrait-{__version__}.zip over "{places.PACK}", or run {pip}'
    return f"Run {pip}"


def can_build() -> bool:
    return sys.platform == "linux" and (places.PACK / "Makefile").is_file()


def is_pack() -> bool:
    """Whether these files come from the registry's archive or a clone, and not from a wheel."""
    return (places.PACK / "Makefile").is_file() or places.PACK.parent.name == "custom_nodes"


def wheel_name(target: targets.Target) -> str:
    return f"sonic_talking_portrait-{__version__}-{target.tag}"


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
    if not isinstance(error, Missing) and places.candidates():
        return None
    here, brought, old = targets.this(), places.archived(), places.left_over()
    target = targets.find(here)
    if target is None and (brought or not can_build()):
        reason = targets.no_build(here)
    elif old and old == brought:
        reason = f"the compiled part in {old[0].parent} is not of version {__version__}: {old[0].name}"
    elif target and brought:
        reason = f"{brought[0].parent} has no {places.archive_name(target)}, the compiled part for {target.title}"
        reason += "; a virus scanner may have removed it" if sys.platform == "win32" else ""
    else:
        reason = f"the compiled part is not in {places.FOLDER}; the source code alone does not contain it"
    return Cause(repair(), reason)


def file_unfit(error):
    if not isinstance(error, Unfit) or isinstance(error, Missing) or str(error).startswith("Update"):
        return None
    return Cause(repair(), str(error))


def other_libc(error):
    wanted = needed_libc(str(error))
    if wanted:
        return Cause(repair(), f"the file needs {wanted} and this system is older; a build on this system fits it")
    if re.search(r"ld-linux|ld-musl|libc\.so\.6|libc\.musl", str(error)):
        return Cause(repair(), "the file was built for another C library (glibc, musl) than this system's")
    return None


def symbol_missing(error):
    found = re.search(
        r"undefined symbol: (\w+)|symbol not found in flat namespace '_?(\w+)'|(\w+): symbol not found", str(error)
    )
    if not found and windows_code(error) != PROCEDURE_NOT_FOUND:
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
    return Cause(repair(), f"a library on this system has changed since the file was built: it has no {symbol}")


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
    return Cause(repair(), f"the file was built with {name}, which is not on this system")


def windows_dll_missing(error):
    """PyTorch is loaded by then, and needs the same runtime; an own build may need more."""
    if windows_code(error) != MODULE_NOT_FOUND:
        return None
    return Cause(
        f"Install the Microsoft Visual C++ Redistributable ({REDISTRIBUTABLE})",
        "Windows did not find a DLL that the compiled part needs",
        certain=False,
    )


def system_refused(error):
    """A policy, a virus scanner or, on macOS, the mark of a downloaded file."""
    code = windows_code(error)
    if code in REFUSED:
        return Cause(
            f'Allow "{error.path}" in Windows Security or the virus scanner',
            f"Windows refuses to load it (error {code})",
            certain=False,
        )
    if re.search(r"code signature|library load disallowed|not valid for use in process", str(error)):
        return Cause(
            f'Run `xattr -dr com.apple.quarantine "{places.PACK}"`',
            "macOS does not load downloaded files",
            certain=False,
        )
    return None


def windows_code(error) -> int | None:
    """The number that loading.py found for it; None on other systems."""
    return getattr(error, "windows_code", None)


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
    windows_dll_missing,
    system_refused,
    second_copy,
)
