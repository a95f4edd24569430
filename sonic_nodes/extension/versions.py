"""The oldest supported versions; a test compares pyproject.toml and requirements.txt with them.

An old Python must be able to read this file, which reports that Python is too old.
"""

import importlib
import logging
import platform
import re
import sys

MINIMUM = {
    "python": (3, 10),
    "torch": (2, 10),
    "numpy": (1, 25),
    "av": (14, 2),
    "pillow": (10,),
    "safetensors": (0, 4),
    "tqdm": (4, 60),
    "comfyui": (0, 3, 64),
}
TITLES = {
    "python": "Python",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "av": "PyAV",
    "pillow": "Pillow",
    "comfyui": "ComfyUI",
}
# modules whose name differs from the package's
MODULES = {"pillow": "PIL", "comfyui": "comfyui_version"}
LIBRARIES = tuple(name for name in MINIMUM if name not in ("python", "comfyui"))


def text(version):
    return ".".join(map(str, version))


def title(name):
    return TITLES.get(name, name)


def numbers(version):
    """(2, 10, 0) of "2.10.0a0+git1": up to the first part that is not a number."""
    parts = []
    for part in version.split("+")[0].split("."):
        digits = re.match(r"\d+", part)
        if not digits:
            break
        parts.append(int(digits.group()))
        if digits.group() != part:
            break
    return tuple(parts)


def module(name):
    """The imported library; raises what the import raises."""
    return importlib.import_module(MODULES.get(name, name))


def too_old(name, version):
    """For a version that is too old, a message ("Update PyTorch to 2.10 or newer: it is 2.9.1"); else None."""
    if numbers(version) >= MINIMUM[name]:
        return None
    return "Update %s to %s or newer: it is %s" % (title(name), text(MINIMUM[name]), version)  # noqa: UP031


def check_python():
    """Called before any other import of the package: an older Python cannot read the other files."""
    if sys.version_info < MINIMUM["python"]:
        raise ImportError(too_old("python", platform.python_version()) + " (%s)." % sys.executable)  # noqa: UP031


def warn_of_old_comfyui():
    """Logs one line under a ComfyUI that is too old; it would otherwise skip the nodes without a reason."""
    try:
        version = module("comfyui").__version__
    except ImportError:  # outside ComfyUI, or before ComfyUI had this file
        return
    problem = too_old("comfyui", version)
    if problem:
        logging.getLogger(__name__).warning("%s. Until then the Sonic nodes may be absent.", problem)
