"""Builds the one extension, sonic_nodes/_sonic.abi3.so, from everything under csrc/.

Environment
  MAX_JOBS=N         compile N files at a time (one a processor, as far as memory allows)
  SONIC_DEBUG=1      keep the symbols
  SONIC_SANITIZE=address    AddressSanitizer and UndefinedBehaviorSanitizer, into build/asan, beside the normal build
  SONIC_SANITIZE=undefined  UndefinedBehaviorSanitizer alone, into build/ubsan
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
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # pip runs this file from elsewhere

from tools import kernel_texts  # noqa: E402
from tools.cross import headers, mach, stubs, targets, zig  # noqa: E402
from tools.cross.compiling import default_jobs, in_parallel, is_stale, read  # noqa: E402

TARGET = targets.chosen()
SANITIZED = {"address": "asan", "undefined": "ubsan"}  # folders in build/
SANITIZE = os.environ.get("SONIC_SANITIZE", "")
if SANITIZE and SANITIZE not in SANITIZED:
    sys.exit(f"Set SONIC_SANITIZE to {' or '.join(SANITIZED)}, or leave it out: it is {SANITIZE}.")
DEBUG = bool(SANITIZE) or os.environ.get("SONIC_DEBUG") == "1"
STATIC = os.environ.get("SONIC_STATIC") or (None if TARGET.is_native else "build")
if STATIC == "build":
    STATIC = subprocess.check_output([sys.executable, "-m", "tools.static_libraries"], cwd=ROOT, text=True).strip()
STATIC = STATIC and Path(STATIC).resolve()
BUILD = ROOT / "build" / (SANITIZED[SANITIZE] if SANITIZE else "wheel" if STATIC else "native")
if not TARGET.is_native:
    BUILD = ROOT / "build" / TARGET.name

# The oldest interfaces that one binary has to support: CPython 3.10, NumPy 1.23's C API, PyTorch 2.10's stable ABI.
MACROS = [
    ("Py_LIMITED_API", "0x030A0000"),
    ("NPY_NO_DEPRECATED_API", "NPY_1_23_API_VERSION"),
    ("NPY_TARGET_VERSION", "NPY_1_23_API_VERSION"),
    ("TORCH_TARGET_VERSION", "0x020A000000000000ULL"),
]
COMMON = ["-O3", "-Wall", "-Wextra", "-fvisibility=hidden", "-fno-math-errno", *TARGET.compile_flags]
PER_LANGUAGE = {".c": ["-std=c11", "-Wstrict-prototypes", "-Wmissing-prototypes"], ".cpp": ["-std=c++20"]}
LINK = [*TARGET.link_runtime_flags, *TARGET.link_flags]
OPENCV = ["opencv_imgproc", "opencv_core", "jpeg"]
LIBRARIES = [*(["torch_cpu"] if TARGET.links_torch else []), *([] if STATIC else OPENCV), *TARGET.libraries]
# Converting a number that does not fit is undefined, too, and gives other values on other processors.
SANITIZERS = [f"-fsanitize={'' if SANITIZE == 'undefined' else 'address,'}undefined,float-cast-overflow"]
if os.environ.get("SONIC_WERROR") != "0":
    COMMON += ["-Werror"]
if DEBUG:
    COMMON += ["-g", "-fno-omit-frame-pointer"]
else:
    LINK += TARGET.strip_flags
if STATIC:
    MACROS += [("SONIC_STATIC", "1")]
    COMMON += ["-ffunction-sections", "-fdata-sections"]
    LINK += TARGET.unused_flags
if SANITIZE:
    # Memory that nothing was written to holds 0xfe (GCC) or 0xaa (clang): no pointer, and no number that looks right.
    COMMON += ["-O1", *SANITIZERS, "-fno-sanitize-recover=all", "-fno-wrapv", "-ftrivial-auto-var-init=pattern"]
    LINK += SANITIZERS
    if "clang" in os.environ.get("CC", ""):
        COMMON += ["-fno-sanitize=vptr"]  # it needs the type information that libtorch's headers hide
        LINK += ["-shared-libsan"]  # Python does not bring the runtime
# Headers that the build needs, and the Debian package of each.
SYSTEM_HEADERS = {
    "opencv2/core.hpp": "libopencv-core-dev",
    "opencv2/imgproc.hpp": "libopencv-imgproc-dev",
    "jpeglib.h": "libjpeg-dev",
    "Python.h": "python3-dev",
}


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
    names = ("opencv_imgproc", "opencv_core", "jpeg-turbo", "zlib")
    return [str(path) for name in names for path in sorted((STATIC / "lib").glob(f"*{name}*"))]


def sources():
    found = [p for suffix in PER_LANGUAGE for p in (ROOT / "csrc").rglob("*" + suffix)]
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def own_headers():
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
        self.choose_target()
        self.check_system()
        flags, linked = Path(self.build_temp, "flags.txt"), Path(self.build_temp, "linked.txt")
        if read(flags) != self.flags():
            shutil.rmtree(self.build_temp, ignore_errors=True)
            flags.parent.mkdir(parents=True)
            flags.write_text(self.flags())
        inputs = repr([LINK, LIBRARIES, self.extensions[0].extra_objects, self.extensions[0].sources])
        self.force = self.force or read(linked) != inputs
        self.compiler.compile = self.compile_stale
        super().build_extensions()
        if TARGET.system == "macos" and TARGET.zig_triple:
            mach.correct(Path(self.get_ext_fullpath(self.extensions[0].name)))
        linked.write_text(inputs)

    def choose_target(self):
        """Sets the compiler, the headers and the stubs of the target, where it is not this machine."""
        compilers = TARGET.compilers()
        if compilers:
            os.environ.update(zig.environment())
            c, cxx = compilers
            self.compiler.set_executables(
                compiler=c,
                compiler_so=c,
                compiler_cxx=cxx,
                compiler_so_cxx=cxx,
                linker_so=[*cxx, "-shared"],
                linker_so_cxx=[*cxx, "-shared"],
                linker_exe=cxx,
                linker_exe_cxx=cxx,
            )
            self.compiler.set_include_dirs([])
            self.compiler.set_library_dirs([])
            stubs.make(BUILD / "stubs", TARGET)

    def get_ext_filename(self, fullname):
        if TARGET.is_native:
            return super().get_ext_filename(fullname)
        return str(Path(*fullname.split(".")).with_name(TARGET.extension))

    def flags(self):
        """Everything but the sources that an object file depends on."""
        extension = self.extensions[0]
        versions = [importlib.metadata.version(name) for name in ("torch", "numpy")]
        compiler = [getattr(self.compiler, name, None) for name in ("compiler_so", "compiler_so_cxx", "include_dirs")]
        own = [extension.extra_compile_args, MACROS, PER_LANGUAGE]
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

    def jobs(self):
        return self.parallel or int(os.environ.get("MAX_JOBS") or default_jobs())

    def check_system(self):
        """Exits with one sentence when a compiler or a library's headers are missing."""
        c, cxx = self.compiler.compiler_so, getattr(self.compiler, "compiler_so_cxx", self.compiler.compiler_cxx)
        absent = [command for command in (c[0], cxx[0]) if shutil.which(command) is None]
        packages = [TARGET.compiler_package] if absent else self.missing_headers(cxx)
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
        command = compiler[:1] if TARGET.is_native else compiler
        folders = [flag for folder in [*SYSTEM_INCLUDES, *self.compiler.include_dirs] for flag in ("-I", folder)]
        probe = subprocess.run(
            [*command, "-x", "c++", "-E", *folders, "-"], input=text, capture_output=True, text=True, check=False
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
        for path, name in TARGET.licenses().items():
            shutil.copy2(path, target / name)


def system_headers():
    """Folders of NumPy's, PyTorch's and OpenCV's headers, and of Python's where they are not this machine's."""
    own = [headers.numpy_folder()] if TARGET.is_native else headers.copy_for_targets(BUILD / "include")
    return [
        *map(str, own),
        str(headers.torch_folder()),
        opencv_headers(),
        *([str(STATIC / "include")] if STATIC else []),
    ]


def torch_libraries():
    return headers.package_folder("torch") / "lib" if TARGET.is_native else BUILD / "stubs"


SYSTEM_INCLUDES = system_headers()
COMMON += [flag for path in SYSTEM_INCLUDES for flag in ("-isystem", path)]

setup(
    ext_modules=[
        Extension(
            "sonic_nodes._sonic",
            sources=sources(),
            depends=[*own_headers(), "csrc/bindings/exports.map", "setup.py"],
            include_dirs=["csrc", str(kernel_texts.write(BUILD / "generated"))],
            define_macros=MACROS,
            extra_compile_args=COMMON,
            extra_link_args=LINK,
            extra_objects=static_libraries(),
            library_dirs=[str(torch_libraries())],
            libraries=LIBRARIES,
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": BuildExt, "build_py": BuildPy, "bdist_wheel": Wheel},
    options={
        "bdist_wheel": {"py_limited_api": "cp310", **({} if TARGET.is_native else {"plat_name": TARGET.wheel_tag})},
        **({} if TARGET.is_native else {"build": {"build_base": str(BUILD)}}),
    },
)
