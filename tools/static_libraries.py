"""Builds libjpeg-turbo and OpenCV (core, imgproc) as static libraries for the wheel, and prints the folder that
has them.

Both come from one pinned source: the sdist of opencv-python-headless, which includes OpenCV's tree and libjpeg-turbo.
The result is static-TARGET-HASH in the cache (tools/cross/cache.py), with include/, lib/ and licenses/, where HASH
covers the source, the options and the compiler: it is built once, for all checkouts.

    SONIC_STATIC=$(python -m tools.static_libraries) pip wheel .      which is what `make wheel` does

Needs cmake, ninja, a C and C++ compiler and, on x86, nasm. MAX_JOBS=N compiles N files in parallel (one a
processor). SONIC_STATIC_SOURCE names a local sdist. SONIC_TARGET chooses another system than this machine.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tools.cross import cache, targets, zig

ROOT = Path(__file__).resolve().parent.parent
SOURCE = cache.Pinned(
    "opencv-python-headless",
    "4.14.0.94",
    "opencv_python_headless-4.14.0.94.tar.gz",
    "4afa2ea1214453648be88259f035712454faa9039b686de7753569ba8eec1577",
    96,
)

# Everything that adds a library, a thread pool, a plugin or a file is off; only pixel arithmetic remains.
OFF = """
    BUILD_SHARED_LIBS BUILD_TESTS BUILD_PERF_TESTS BUILD_EXAMPLES BUILD_DOCS BUILD_JAVA BUILD_PACKAGE
    BUILD_opencv_apps BUILD_opencv_js BUILD_opencv_python2 BUILD_opencv_python3 BUILD_ITT BUILD_IPP_IW
    BUILD_WITH_STATIC_CRT WITH_1394 WITH_ADE WITH_AVIF WITH_CAROTENE WITH_DIRECTML WITH_DIRECTX WITH_DSHOW
    WITH_EIGEN WITH_FFMPEG WITH_FLATBUFFERS WITH_GSTREAMER WITH_GTK WITH_HAL_RVV WITH_IMGCODEC_GIF WITH_IPP WITH_ITT
    WITH_JASPER WITH_KLEIDICV WITH_LAPACK WITH_MSMF WITH_NDSRVP WITH_OBSENSOR WITH_OPENCL WITH_OPENCLAMDBLAS
    WITH_OPENCLAMDFFT WITH_OPENEXR WITH_OPENJPEG WITH_OPENMP WITH_PNG WITH_PROTOBUF WITH_PTHREADS_PF WITH_QUIRC
    WITH_TBB WITH_TIFF WITH_V4L WITH_VA WITH_VA_INTEL WITH_VTK WITH_WEBP WITH_WIN32UI CV_TRACE
    PARALLEL_ENABLE_PLUGINS ENABLE_CCACHE ENABLE_PRECOMPILED_HEADERS OPENCV_GENERATE_SETUPVARS
    OPENCV_GENERATE_PKGCONFIG
""".split()
ON = """
    WITH_JPEG BUILD_JPEG BUILD_ZLIB ENABLE_LIBJPEG_TURBO_SIMD REQUIRE_SIMD ENABLE_PIC CMAKE_POSITION_INDEPENDENT_CODE
    BUILD_INFO_SKIP_TIMESTAMP OPENCV_PYTHON_SKIP_DETECTION
""".split()
VALUES = {
    "BUILD_LIST": "core,imgproc",
    "CMAKE_BUILD_TYPE": "Release",
    "CMAKE_C_VISIBILITY_PRESET": "hidden",
    "CMAKE_CXX_VISIBILITY_PRESET": "hidden",
    "CMAKE_INSTALL_LIBDIR": "lib",
}
SECTIONS = "-ffunction-sections -fdata-sections"
# csrc/opencv calls two functions of imgproc: resize and warpAffine. Zig compiles these sources of it alone, with all of
# core: half the time. A symbol that is missing then does not link there; GCC would link it and fail on loading.
IMGPROC = ("imgwarp", "resize", "tables", "main", "utils")
# file in the sdist -> name in the wheel's licence folder
LICENSES = {
    "opencv/LICENSE": "OpenCV-LICENSE.txt",
    "opencv/COPYRIGHT": "OpenCV-COPYRIGHT.txt",
    "opencv/3rdparty/libjpeg-turbo/LICENSE.md": "libjpeg-turbo-LICENSE.md",
    "opencv/3rdparty/libjpeg-turbo/README.ijg": "libjpeg-turbo-README.ijg",
    "opencv/3rdparty/zlib/LICENSE": "zlib-LICENSE.txt",
}


def options(target):
    flags = " ".join([SECTIONS, *target.link_runtime_flags, *target.compile_flags])
    values = {
        **dict.fromkeys(OFF, "OFF"),
        **dict.fromkeys(ON, "ON"),
        **VALUES,
        "CPU_DISPATCH": "SSE4_1,AVX2" if target.is_x86 else "",
        "CMAKE_C_FLAGS": flags,
        "CMAKE_CXX_FLAGS": flags,
        **target.cmake_options(),
    }
    if "CMAKE_OSX_ARCHITECTURES" in os.environ:
        values["CMAKE_OSX_ARCHITECTURES"] = os.environ["CMAKE_OSX_ARCHITECTURES"]
    return values


def check_tools(target):
    wanted = ["cmake", "ninja", *(["nasm"] if target.is_x86 else [])]
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        names = " ".join(missing).replace("ninja", "ninja-build")
        sys.exit(f"Install {names} (Debian: apt-get install {names}), or run `make wheel`, which does it.")


def compiler_version(target):
    own = target.compilers()
    command = own[1] if own else shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(command[0]) is None:
        package = target.compiler_package
        sys.exit(f"Install {package} (Debian: apt-get install {package}): the compiler {command[0]} is not there.")
    with tempfile.TemporaryDirectory() as place:  # Zig leaves an empty a.o where it is asked
        done = subprocess.run([*command, "--version"], cwd=place, capture_output=True, text=True, check=False)
    return done.stdout


def key(target):
    """A hash of all that the libraries depend on, but for the place of the cache."""
    values = [f"{name}={value}" for name, value in options(target).items()] + list(IMGPROC if target.zig_triple else ())
    machine = [platform.machine(), os.environ.get("MACOSX_DEPLOYMENT_TARGET", "")] if target.is_native else []
    text = "\n".join([SOURCE.sha256, *values, compiler_version(target), *machine])
    return cache.digest(text.replace(str(cache.root()), "").replace(str(ROOT), ""))


def source(log):
    """The sdist, from SONIC_STATIC_SOURCE or from pip; either must have the pinned hash."""
    local = os.environ.get("SONIC_STATIC_SOURCE")
    if local and Path(local).is_file():
        return cache.check(Path(local), SOURCE)
    # pip prepares a build to read the sdist's metadata; that is not used. Its build requirements come as wheels.
    return cache.downloaded(SOURCE, log, "--no-binary", SOURCE.package)


def unpack(archive, folder):
    """Extracts what the two modules need: the sdist has thirty more."""
    kept = ("opencv/modules/core/", "opencv/modules/imgproc/")
    checked = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as tar:
        for member in tar:
            member.name = member.name.split("/", 1)[-1]
            if member.isreg() and (not member.name.startswith("opencv/modules/") or member.name.startswith(kept)):
                tar.extract(member, folder, **checked)


def build(target, sources, work, prefix, log):
    cache.report(f"Building libjpeg-turbo and OpenCV as static libraries for {target.name} (some minutes, once)")
    remedy = "Correct the first error above: libjpeg-turbo and OpenCV did not build."
    values = {"CMAKE_INSTALL_PREFIX": prefix.as_posix(), **options(target)}
    for name in ("CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS"):  # assertions name their file: not where it was for a moment
        values[name] += f" -ffile-prefix-map={sources.parent}/="
    place = [f"-D{name}={value}" for name, value in values.items()]
    environment = {**os.environ, **zig.environment()}
    configure = ["cmake", "-G", "Ninja", "-S", str(sources / "opencv"), "-B", str(work), *place]
    cache.logged(configure, log, remedy, env=environment)
    # OpenCV's description of its build names folders of this machine, and nothing prints it.
    (work / "modules" / "core" / "version_string.inc").write_text('"\\n"\n')
    jobs = os.environ.get("MAX_JOBS") or str(os.cpu_count() or 1)
    command = ["cmake", "--build", str(work), "--parallel", jobs]
    if target.zig_triple:
        cache.logged([*command, "--target", *parts(work)], log, remedy, env=environment)
        cache.logged(archive(target, work), log, remedy)
    else:
        cache.logged(command, log, remedy, env=environment)


def parts(work):
    """What the build needs to make: three libraries, and the objects of IMGPROC."""
    listed = subprocess.run(["ninja", "-C", work, "-t", "targets", "all"], check=True, capture_output=True, text=True)
    names = "|".join(IMGPROC)
    objects = re.findall(
        rf"^(modules/imgproc/CMakeFiles/\S+/src/(?:{names})(?:\.\w+)?\.cpp\.\w+):", listed.stdout, re.MULTILINE
    )
    return ["opencv_core", "libjpeg-turbo", "zlib", *objects]


def archive(target, work):
    """The command that makes the library of imgproc from its objects."""
    made = sorted(work.glob("modules/imgproc/CMakeFiles/**/*.o*"))
    return [target.cmake_options()["CMAKE_AR"], "qcs", work / "lib" / "libopencv_imgproc.a", *made]


def collect(sources, work, prefix):
    """Copies libraries, headers and licences into the same folders on every system."""
    for folder in ("include", "lib", "licenses"):
        (prefix / folder).mkdir(parents=True)
    for module in ("core", "imgproc"):
        headers = sources / "opencv" / "modules" / module / "include"
        shutil.copytree(headers, prefix / "include", dirs_exist_ok=True)
    shutil.copytree(work / "opencv2", prefix / "include" / "opencv2", dirs_exist_ok=True)
    for path in [*work.glob("lib/**/*"), *work.glob("3rdparty/lib/**/*")]:
        if path.suffix in (".a", ".lib"):
            shutil.copy2(path, prefix / "lib")
    jpeg = sources / "opencv/3rdparty/libjpeg-turbo/src"
    for path in [jpeg / "jpeglib.h", jpeg / "jmorecfg.h", jpeg / "jerror.h", work / "3rdparty/libjpeg-turbo/jconfig.h"]:
        shutil.copy2(path, prefix / "include")
    for name, target in LICENSES.items():
        shutil.copy2(sources / name, prefix / "licenses" / target)


def static_libraries(target):
    """The folder with the libraries, built if it is not there."""
    log = ROOT / "build" / f"static-{target.name}.log"

    def make(prefix):
        check_tools(target)
        log.parent.mkdir(exist_ok=True)
        log.write_bytes(b"")
        sources, work = prefix.parent / "sources", prefix.parent / "work"
        unpack(source(log), sources)
        build(target, sources, work, prefix, log)
        collect(sources, work, prefix)

    return cache.made_once(f"static-{target.name}-{key(target)}", make)


if __name__ == "__main__":
    print(static_libraries(targets.chosen()))
