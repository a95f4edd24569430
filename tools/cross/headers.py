"""Headers of Python, NumPy and PyTorch for a system that is not this one.

They are the installed packages' own: the same on every system, but for one file each of Python and NumPy that says how
large C's types are. The compiler knows that better, so these files are written anew with its own macros. PyTorch's C
interface is the same on all systems.
"""

import re
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

# What Python's headers ask for under the limited API.
PYCONFIG = """#ifndef Py_PYCONFIG_H
#define Py_PYCONFIG_H
#define ALIGNOF_LONG _Alignof(long)
#define ALIGNOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_SHORT __SIZEOF_SHORT__
#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_LONG __SIZEOF_LONG__
#define SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define SIZEOF_DOUBLE __SIZEOF_DOUBLE__
#define SIZEOF_FLOAT __SIZEOF_FLOAT__
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_VOID_P __SIZEOF_POINTER__
#define SIZEOF_UINTPTR_T __SIZEOF_POINTER__
#define SIZEOF_WCHAR_T __SIZEOF_WCHAR_T__
#define SIZEOF_TIME_T 8
#define SIZEOF_OFF_T 8
#define HAVE_LONG_LONG 1
#define HAVE_STDDEF_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDARG_PROTOTYPES 1
#define STDC_HEADERS 1
#define WITH_THREAD 1
#ifdef _WIN32
#define MS_WIN32
#define MS_WIN64
#define MS_WINDOWS
#define HAVE_DECLSPEC_DLL
#define Py_ENABLE_SHARED 1
#define Py_NO_ENABLE_SHARED_PRAGMA
#else
#define HAVE_SSIZE_T 1
#define HAVE_UNISTD_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_PTHREAD_H 1
#endif
#endif
"""
# NumPy's names of the types, by the compiler's macro.
SIZES = {
    "SHORT": "__SIZEOF_SHORT__",
    "INT": "__SIZEOF_INT__",
    "LONG": "__SIZEOF_LONG__",
    "LONGLONG": "__SIZEOF_LONG_LONG__",
    "FLOAT": "__SIZEOF_FLOAT__",
    "DOUBLE": "__SIZEOF_DOUBLE__",
    "COMPLEX_FLOAT": "(2 * __SIZEOF_FLOAT__)",
    "COMPLEX_DOUBLE": "(2 * __SIZEOF_DOUBLE__)",
    "PY_INTPTR_T": "__SIZEOF_POINTER__",
    "INTP": "__SIZEOF_POINTER__",
    "UINTP": "__SIZEOF_POINTER__",
    "WCHAR_T": "__SIZEOF_WCHAR_T__",
    "PY_LONG_LONG": "__SIZEOF_LONG_LONG__",
}
# These are as in Microsoft's C on Windows, whatever the compiler there: NumPy is built with it.
OF_WINDOWS = {"OFF_T": ("4", "8"), "LONGDOUBLE": ("8", "__SIZEOF_LONG_DOUBLE__")}
OF_WINDOWS["COMPLEX_LONGDOUBLE"] = ("16", "(2 * __SIZEOF_LONG_DOUBLE__)")
ENDIAN = """#if __has_include(<endian.h>)
#define NPY_HAVE_ENDIAN_H 1
#endif"""


def package_folder(name: str) -> Path:
    """A package's folder, without importing it: torch takes seconds."""
    spec = find_spec(name)
    if spec is None:
        sys.exit(
            f"Install {name} into this Python (pip install {name}), or run `make build`, which does it: "
            "the build needs its headers."
        )
    return Path(spec.origin).parent


def numpy_folder() -> Path:
    folders = [package_folder("numpy") / core / "include" for core in ("_core", "core")]
    return next(folder for folder in folders if folder.is_dir())


def torch_folder() -> Path:
    return package_folder("torch") / "include"


def numpy_config(text: str) -> str:
    """The text of numpy/_numpyconfig.h of one system, for all."""

    def size(line: re.Match) -> str:
        name = line[1]
        define = f"#define NPY_SIZEOF_{name}"
        if name in OF_WINDOWS:
            windows, others = OF_WINDOWS[name]
            return f"#ifdef _WIN32\n{define} {windows}\n#else\n{define} {others}\n#endif"
        if name not in SIZES:
            sys.exit(f"Add {name} to tools/cross/headers.py: NumPy's headers ask for the size of a type that is new.")
        return f"{define} {SIZES[name]}"

    text = re.sub(r"^#define NPY_SIZEOF_(\w+) \d+$", size, text, flags=re.MULTILINE)
    return re.sub(r"^#define NPY_HAVE_ENDIAN_H 1$", ENDIAN, text, flags=re.MULTILINE)


def copy_for_targets(folder: Path) -> tuple[Path, Path]:
    """Writes the headers of Python and of NumPy for any system into `folder`; returns both folders."""
    python, numpy = folder / "python", folder / "numpy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sysconfig.get_path("include"), python, ignore=shutil.ignore_patterns("internal", "pyconfig.h"))
    (python / "pyconfig.h").write_text(PYCONFIG)
    shutil.copytree(numpy_folder(), numpy)
    config = numpy / "numpy" / "_numpyconfig.h"
    config.write_text(numpy_config(config.read_text()))
    return python, numpy
