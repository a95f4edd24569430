"""Builds the one extension, sonic_nodes/_sonic.abi3.so, from everything under csrc/.

Environment
  MAX_JOBS=N         compile N files at a time (one a processor, as far as memory allows)
  SONIC_DEBUG=1      keep the symbols
  SONIC_SANITIZE=1   AddressSanitizer and UndefinedBehaviorSanitizer, into build/asan, beside the normal extension
  SONIC_WERROR=0     warnings are not errors: for a compiler newer than this code
  SONIC_STATIC=DIR   link libjpeg-turbo and OpenCV statically, from a folder of tools/static_libraries.py: for wheels
  SONIC_STATIC=build the same, and build that folder first
"""

import filecmp
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SANITIZE = os.environ.get("SONIC_SANITIZE") == "1"
DEBUG = SANITIZE or os.environ.get("SONIC_DEBUG") == "1"
STATIC = os.environ.get("SONIC_STATIC")
if STATIC == "build":
    STATIC = subprocess.check_output([sys.executable, ROOT / "tools" / "static_libraries.py"], text=True).strip()
STATIC = STATIC and Path(STATIC).resolve()
BUILD = ROOT / "build" / ("asan" if SANITIZE else "wheel" if STATIC else "native")
WINDOWS, APPLE = sys.platform == "win32", sys.platform == "darwin"

# The oldest interfaces that one binary has to support: CPython 3.10, NumPy 1.23's C API, PyTorch 2.10's stable ABI.
MACROS = [
    ("Py_LIMITED_API", "0x030A0000"),
    ("NPY_NO_DEPRECATED_API", "NPY_1_23_API_VERSION"),
    ("NPY_TARGET_VERSION", "NPY_1_23_API_VERSION"),
    ("TORCH_TARGET_VERSION", "0x020A000000000000ULL"),
]
COMMON = ["-O3", "-Wall", "-Wextra", "-fvisibility=hidden", "-fno-math-errno", "-fPIC"]
PER_LANGUAGE = {".c": ["-std=c11", "-Wstrict-prototypes", "-Wmissing-prototypes"], ".cpp": ["-std=c++20"]}
LINK = ["-Wl,--as-needed", "-Wl,--version-script=csrc/bindings/exports.map"]
LIBRARIES = ["torch_cpu", "c10", *([] if STATIC else ["opencv_imgproc", "opencv_video", "opencv_core", "jpeg"]), "m"]
SANITIZERS = ["-fsanitize=address,undefined"]
if os.environ.get("SONIC_WERROR") != "0":
    COMMON += ["-Werror"]
if DEBUG:
    COMMON += ["-g", "-fno-omit-frame-pointer"]
else:
    LINK += ["-Wl,-s"]
if STATIC:
    MACROS += [("SONIC_STATIC", "1")]
    COMMON += ["-ffunction-sections", "-fdata-sections"]
    LINK += ["-Wl,--gc-sections"]
if SANITIZE:
    COMMON += ["-O1", *SANITIZERS, "-fno-sanitize-recover=all", "-fno-wrapv"]
    LINK += SANITIZERS
# Untested. .github/workflows/wheels.yml is the recipe.
if APPLE:
    LINK = ["-Wl,-dead_strip", "-Wl,-exported_symbol,_PyInit__sonic"]
elif WINDOWS:
    COMMON, LINK = ["/O2", "/W3", "/utf-8", "/EHsc", "/Zc:__cplusplus", "/D_CRT_SECURE_NO_WARNINGS"], ["/OPT:REF"]
    PER_LANGUAGE = {".c": ["/std:c11"], ".cpp": ["/std:c++20"]}
    LIBRARIES.remove("m")

# Headers that the build needs, and the Debian package of each.
SYSTEM_HEADERS = {
    "opencv2/core.hpp": "libopencv-core-dev",
    "opencv2/imgproc.hpp": "libopencv-imgproc-dev",
    "opencv2/video.hpp": "libopencv-video-dev",
    "jpeglib.h": "libjpeg-dev",
    "Python.h": "python3-dev",
}


def package_folder(name):
    """A package's folder, without importing it: torch takes seconds."""
    spec = find_spec(name)
    if spec is None:
        sys.exit(
            f"Install {name} into this Python (pip install {name}), or run `make build`, which does it: "
            "the build needs its headers."
        )
    return Path(spec.origin).parent


def numpy_headers():
    folders = [package_folder("numpy") / core / "include" for core in ("_core", "core")]
    return str(next(folder for folder in folders if folder.is_dir()))


def opencv_headers():
    if STATIC:
        return str(next(STATIC.glob("**/opencv2")).parent)
    prefixes = [os.environ.get("OPENCV_PREFIX", "/usr"), "/usr/local", "/opt/homebrew", sys.prefix]
    found = [f"{prefix}/include/opencv4" for prefix in prefixes]
    return next((folder for folder in found if os.path.isdir(folder)), found[0])


def static_libraries():
    """The archives in link order: each uses symbols of those after it."""
    if not STATIC:
        return []
    names = ("opencv_video", "opencv_imgproc", "opencv_core", "jpeg-turbo", "zlib")
    return [str(next((STATIC / "lib").glob(f"*{name}*"))) for name in names]


def sources():
    found = [p for suffix in PER_LANGUAGE for p in (ROOT / "csrc").rglob("*" + suffix)]
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def headers():
    return sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "csrc").rglob("*.h"))


class BuildExt(build_ext):
    """Compiles what is older than its source, its headers or the flags, and links when that or the list of files
    changed."""

    def run(self):
        self.build_temp = str(BUILD / "objects")
        if SANITIZE or STATIC:
            self.inplace = False
        if not STATIC and (SANITIZE or self.inplace or self.editable_mode):
            self.build_lib = str(BUILD)
        if self.inplace:
            self.remove_foreign_extension()
        super().run()

    def remove_foreign_extension(self):
        """Removes an extension that the last build did not produce, say a truncated download; setuptools would keep it
        if it is newer."""
        name = self.get_ext_filename(self.extensions[0].name)
        built, used = BUILD / name, ROOT / name
        if used.is_file() and not (built.is_file() and filecmp.cmp(built, used, shallow=False)):
            used.unlink()

    def build_extensions(self):
        self.check_system()
        flags, linked = Path(self.build_temp, "flags.txt"), Path(self.build_temp, "linked.txt")
        if read(flags) != self.flags():
            shutil.rmtree(self.build_temp, ignore_errors=True)
            flags.parent.mkdir(parents=True)
            flags.write_text(self.flags())
        names = "\n".join(self.extensions[0].sources)
        self.force = self.force or read(linked) != names
        if self.compiler.compiler_type == "unix":
            self.compiler.compile = self.compile_stale
        else:
            self.compile_all, self.compiler.compile = self.compiler.compile, self.compile_by_language
        super().build_extensions()
        linked.write_text(names)

    def flags(self):
        """Everything but the sources that an object file depends on."""
        extension = self.extensions[0]
        versions = [importlib.metadata.version(name) for name in ("torch", "numpy")]
        compiler = [getattr(self.compiler, name, None) for name in ("compiler_so", "compiler_so_cxx", "include_dirs")]
        own = [extension.extra_compile_args, extension.extra_link_args, extension.define_macros, PER_LANGUAGE]
        # system headers are not in the compiler's lists
        opencv = [read(Path(opencv_headers(), "opencv2", "core", "version.hpp"))]
        return repr([versions, compiler, own, opencv])

    def compile_stale(
        self,
        files,
        output_dir=None,
        macros=None,
        include_dirs=None,
        debug=0,
        extra_preargs=None,
        extra_postargs=None,
        depends=None,
    ):
        """Replaces the compiler's own loop: same arguments, but headers are dependencies, too, and files compile in
        parallel."""
        compiler = self.compiler
        Path(self.build_temp, "linked.txt").unlink(missing_ok=True)
        macros, objects, extra, defines, _ = compiler._setup_compile(
            output_dir, macros, include_dirs, files, depends, extra_postargs
        )
        arguments = compiler._get_cc_args(defines, debug, extra_preargs)
        stale = [(o, f) for o, f in zip(objects, files, strict=True) if is_stale(o, f)]

        def compile_one(pair):
            target, source = pair
            Path(target).unlink(missing_ok=True)
            suffix = Path(source).suffix
            compiler._compile(
                target,
                source,
                suffix,
                arguments,
                [*extra, *PER_LANGUAGE[suffix], "-MMD", "-MF", target + ".d"],
                defines,
            )

        in_parallel(compile_one, stale, self.jobs(), lambda pair: pair[1])
        return objects

    def compile_by_language(self, files, extra_postargs=None, **more):
        """For compilers whose own loop passes the options of C to C++."""
        made = {}

        def compile_one(path):
            own = PER_LANGUAGE[Path(path).suffix]
            made[path] = self.compile_all([path], extra_postargs=[*(extra_postargs or []), *own], **more)

        in_parallel(compile_one, files[:1], 1)  # alone: it finds the compiler and makes the folders
        in_parallel(compile_one, files[1:], self.jobs())
        return [target for path in files for target in made[path]]

    def jobs(self):
        return self.parallel or int(os.environ.get("MAX_JOBS") or default_jobs())

    def check_system(self):
        """Exits with one sentence when a compiler or a library's headers are missing."""
        if self.compiler.compiler_type != "unix":
            return
        compilers = [
            self.compiler.compiler_so[0],
            getattr(self.compiler, "compiler_so_cxx", self.compiler.compiler_cxx)[0],
        ]
        packages = ["g++" for command in compilers if shutil.which(command) is None][:1] or self.missing_headers(
            compilers[1]
        )
        if packages:
            sys.exit(
                f"Install {' '.join(packages)} (Debian: apt-get install {' '.join(packages)}), "
                "or run `make build`, which does it."
            )

    def missing_headers(self, compiler):
        text = "".join(
            f"#if !__has_include(<{header}>)\n#error @{package}@\n#endif\n"
            for header, package in SYSTEM_HEADERS.items()
        )
        folders = [flag for folder in [*SYSTEM_INCLUDES, *self.compiler.include_dirs] for flag in ("-I", folder)]
        probe = subprocess.run(
            [compiler, "-x", "c++", "-E", *folders, "-"], input=text, capture_output=True, text=True, check=False
        )
        return sorted(set(re.findall("#error @(.+?)@", probe.stderr)))


class BuildPy(build_py):
    """Adds the translations: ComfyUI finds them beside the package in a checkout, a wheel needs them inside."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copytree(ROOT / "locales", Path(self.build_lib, "sonic_nodes", "locales"), dirs_exist_ok=True)


class Wheel(bdist_wheel):
    """Adds the licences of the static libraries, of the face models and of the sample."""

    def write_wheelfile(self, wheelfile_base, *arguments, **more):
        super().write_wheelfile(wheelfile_base, *arguments, **more)
        target = Path(wheelfile_base, "licenses")
        target.mkdir(exist_ok=True)
        for path in [ROOT / "THIRD_PARTY.md", *((STATIC / "licenses").iterdir() if STATIC else [])]:
            shutil.copy2(path, target)


def read(path):
    return path.read_text() if path.exists() else None


def default_jobs():
    """A compiler for each processor that this process may use and for each 0.3 GB of free memory."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = re.search(r"MemAvailable: +(\d+) kB", read(Path("/proc/meminfo")) or "")
    return max(1, min(usable, int(free[1]) // 300_000) if free else usable)


def in_parallel(work, items, jobs, name=str):
    """Calls work(item) for all, the slowest sources first, and prints how many are done; the first error ends it."""
    slowest_first = sorted(items, key=lambda item: (Path(name(item)).suffix == ".c", -os.path.getsize(name(item))))
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(work, item): name(item) for item in slowest_first}
        try:
            for count, done in enumerate(as_completed(running), 1):
                done.result()
                print(f"[{count:{len(str(len(running)))}}/{len(running)}] {running[done]}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def is_stale(target, source):
    """Whether an object file is missing, or older than its source or a header in its dependency file."""
    listing = Path(target + ".d")
    if not (os.path.exists(target) and listing.exists()):
        return True
    paths = re.split(r"(?<!\\)\s+", listing.read_text().replace("\\\n", " ").strip())
    inputs = [source, *(path.replace("\\ ", " ") for path in paths[1:])]  # paths[0] is the target
    built = os.path.getmtime(target)
    return any(not os.path.exists(path) or os.path.getmtime(path) >= built for path in inputs)


TORCH = package_folder("torch")
SYSTEM_INCLUDES = [
    numpy_headers(),
    str(TORCH / "include"),
    opencv_headers(),
    *([str(STATIC / "include")] if STATIC else []),
]
if WINDOWS:
    COMMON += [f"/external:I{path}" for path in SYSTEM_INCLUDES] + ["/external:W0"]
else:
    COMMON += [flag for path in SYSTEM_INCLUDES for flag in ("-isystem", path)]

setup(
    ext_modules=[
        Extension(
            "sonic_nodes._sonic",
            sources=sources(),
            depends=[*headers(), "csrc/bindings/exports.map", "setup.py"],
            include_dirs=["csrc"],
            define_macros=MACROS,
            extra_compile_args=COMMON,
            extra_link_args=LINK,
            extra_objects=static_libraries(),
            library_dirs=[str(TORCH / "lib")],
            libraries=LIBRARIES,
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": BuildExt, "build_py": BuildPy, "bdist_wheel": Wheel},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
