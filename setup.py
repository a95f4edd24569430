"""Builds the one extension, sonic_nodes/_sonic.abi3.so, from everything under csrc/.

Environment: SONIC_SANITIZE=1 builds with AddressSanitizer and UndefinedBehaviorSanitizer; SONIC_DEBUG=1 keeps symbols.
"""
import os
from pathlib import Path

import numpy
import torch
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
TORCH = Path(torch.__file__).parent
SANITIZE = os.environ.get("SONIC_SANITIZE") == "1"
DEBUG = SANITIZE or os.environ.get("SONIC_DEBUG") == "1"

# The oldest interfaces that one binary has to serve: CPython 3.10, NumPy 1.23's C API, PyTorch 2.10's stable ABI.
MACROS = [
    ("Py_LIMITED_API", "0x030A0000"),
    ("NPY_NO_DEPRECATED_API", "NPY_1_23_API_VERSION"),
    ("NPY_TARGET_VERSION", "NPY_1_23_API_VERSION"),
    ("TORCH_TARGET_VERSION", "0x020A000000000000ULL"),
]
SYSTEM_INCLUDES = [numpy.get_include(), str(TORCH / "include"), "/usr/include/opencv4"]
COMMON = ["-O3", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-fno-math-errno", "-fPIC"]
COMMON += [flag for path in SYSTEM_INCLUDES for flag in ("-isystem", path)]
PER_LANGUAGE = {".c": ["-std=c11", "-Wstrict-prototypes", "-Wmissing-prototypes"], ".cpp": ["-std=c++20"]}
LINK = ["-Wl,--as-needed"]
if DEBUG:
    COMMON += ["-g", "-fno-omit-frame-pointer"]
if SANITIZE:
    COMMON += ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    LINK = ["-Wl,--as-needed", "-fsanitize=address,undefined"]
if not DEBUG:
    LINK += ["-Wl,-s"]


class BuildExt(build_ext):
    """Gives C and C++ their own standards, and compiles only what is older than its source or any header."""

    def build_extensions(self):
        compiler = self.compiler
        newest_header = max(p.stat().st_mtime for p in ROOT.glob("csrc/**/*.h"))
        newest_header = max(newest_header, Path(__file__).stat().st_mtime)
        compile_one = compiler._compile

        def compile_if_needed(obj, src, ext, cc_args, extra, pp_opts):
            built = Path(obj)
            if built.exists() and built.stat().st_mtime > max(newest_header, Path(src).stat().st_mtime):
                return
            compile_one(obj, src, ext, cc_args, list(extra) + PER_LANGUAGE[ext], pp_opts)

        compiler._compile = compile_if_needed
        super().build_extensions()


def sources():
    found = [p for suffix in PER_LANGUAGE for p in (ROOT / "csrc").rglob("*" + suffix)]
    return sorted(str(p.relative_to(ROOT)) for p in found)


setup(
    ext_modules=[
        Extension(
            "sonic_nodes._sonic",
            sources=sources(),
            include_dirs=["csrc"],
            define_macros=MACROS,
            extra_compile_args=COMMON,
            extra_link_args=LINK,
            library_dirs=[str(TORCH / "lib")],
            libraries=["torch_cpu", "c10", "opencv_imgproc", "opencv_video", "opencv_core", "jpeg", "m"],
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": BuildExt},
)
