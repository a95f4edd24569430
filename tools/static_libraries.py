#!/usr/bin/env python3
"""Builds libjpeg-turbo and OpenCV (core, imgproc, video) as static libraries for the wheel, and prints the folder that
has them.

Both come from one pinned source: the sdist of opencv-python-headless, which includes OpenCV's tree and libjpeg-turbo.
The result is build/static-HASH (include/, lib/, licenses/), where HASH covers the source, the options and the compiler:
it is built once.

    SONIC_STATIC=$(tools/static_libraries.py) pip wheel .      which is what `make wheel` does

Needs cmake, ninja, a C and C++ compiler and, on x86, nasm. MAX_JOBS=N compiles N files in parallel (one a
processor). SONIC_STATIC_SOURCE names a local sdist.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE, VERSION = "opencv-python-headless", "4.14.0.94"
SHA256 = "4afa2ea1214453648be88259f035712454faa9039b686de7753569ba8eec1577"
ARCHIVE = f"{PACKAGE.replace('-', '_')}-{VERSION}.tar.gz"
X86 = platform.machine().lower() in ("x86_64", "amd64", "x86", "i686")

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
    "BUILD_LIST": "core,imgproc,video",
    "CMAKE_BUILD_TYPE": "Release",
    "CMAKE_C_VISIBILITY_PRESET": "hidden",
    "CMAKE_CXX_VISIBILITY_PRESET": "hidden",
    "CMAKE_INSTALL_LIBDIR": "lib",
    "CPU_DISPATCH": "SSE4_1,AVX2" if X86 else "",
}
SECTIONS = "" if os.name == "nt" else "-ffunction-sections -fdata-sections"
# file in the sdist -> name in the wheel's licence folder
LICENSES = {
    "opencv/LICENSE": "OpenCV-LICENSE.txt",
    "opencv/COPYRIGHT": "OpenCV-COPYRIGHT.txt",
    "opencv/3rdparty/libjpeg-turbo/LICENSE.md": "libjpeg-turbo-LICENSE.md",
    "opencv/3rdparty/libjpeg-turbo/README.ijg": "libjpeg-turbo-README.ijg",
    "opencv/3rdparty/zlib/LICENSE": "zlib-LICENSE.txt",
}


def options():
    values = {
        **dict.fromkeys(OFF, "OFF"),
        **dict.fromkeys(ON, "ON"),
        **VALUES,
        "CMAKE_C_FLAGS": SECTIONS,
        "CMAKE_CXX_FLAGS": SECTIONS,
    }
    if sys.platform == "win32":
        values |= {"CMAKE_MSVC_RUNTIME_LIBRARY": "MultiThreadedDLL", "CMAKE_C_FLAGS": "", "CMAKE_CXX_FLAGS": "/EHsc"}
    if "CMAKE_OSX_ARCHITECTURES" in os.environ:
        values["CMAKE_OSX_ARCHITECTURES"] = os.environ["CMAKE_OSX_ARCHITECTURES"]
    return [f"-D{name}={value}" for name, value in values.items()]


def report(text):
    print(text, file=sys.stderr, flush=True)


def check_tools():
    wanted = ["cmake", "ninja", *(["nasm"] if X86 else [])]
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        names = " ".join(missing).replace("ninja", "ninja-build")
        sys.exit(f"Install {names} (Debian: apt-get install {names}), or run `make wheel`, which does it.")


def compiler_version():
    command = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("cl")
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout if command else ""


def key():
    parts = [SHA256, *options(), platform.machine(), compiler_version(), os.environ.get("MACOSX_DEPLOYMENT_TARGET", "")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def logged(command, log, remedy, **more):
    with open(log, "ab") as stream:
        stream.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        stream.flush()
        done = subprocess.run(
            command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **more
        )
    if done.returncode:
        report("".join(Path(log).read_text(errors="replace").splitlines(keepends=True)[-15:]))
        sys.exit(f"{remedy} The whole output is in {log}.")


def download(folder, log):
    report(f"Downloading the sources of OpenCV and libjpeg-turbo ({PACKAGE} {VERSION}, 96 MB)")
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
    # pip prepares a build to read the sdist's metadata; that is not used. Its build requirements come as wheels.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-binary", PACKAGE]
    remedy = "Check the network, or set SONIC_STATIC_SOURCE to the file: pip could not download the sources."
    logged([*command, "--dest", str(folder), "--requirement", str(wanted)], log, remedy)


def source(folder, log):
    """The sdist, from SONIC_STATIC_SOURCE or from pip; either must have the pinned hash."""
    path = Path(os.environ.get("SONIC_STATIC_SOURCE") or folder / ARCHIVE)
    if not path.is_file():
        download(folder, log)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"Remove {path} and start again: its SHA-256 is {found} instead of {SHA256}.")
    return path


def unpack(archive, folder):
    """Extracts what the three modules need: the sdist has thirty more."""
    kept = ("opencv/modules/core/", "opencv/modules/imgproc/", "opencv/modules/video/")
    checked = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as tar:
        for member in tar:
            member.name = member.name.split("/", 1)[-1]
            if member.isreg() and (not member.name.startswith("opencv/modules/") or member.name.startswith(kept)):
                tar.extract(member, folder, **checked)


def build(sources, work, prefix, log):
    report("Building libjpeg-turbo and OpenCV as static libraries (some minutes, once)")
    remedy = "Correct the first error above: libjpeg-turbo and OpenCV did not build."
    place = [f"-DCMAKE_INSTALL_PREFIX={prefix.as_posix()}", *options()]
    logged(["cmake", "-G", "Ninja", "-S", str(sources / "opencv"), "-B", str(work), *place], log, remedy)
    jobs = os.environ.get("MAX_JOBS") or str(os.cpu_count() or 1)
    logged(["cmake", "--build", str(work), "--parallel", jobs], log, remedy)
    logged(["cmake", "--install", str(work), "--component", "dev"], log, remedy)


def collect(sources, work, prefix):
    """Copies libraries, libjpeg's headers (OpenCV does not install them) and licences into the same folders on every
    system."""
    for folder in ("lib", "licenses"):
        shutil.rmtree(prefix / folder, ignore_errors=True)
        (prefix / folder).mkdir(parents=True)
    for path in [*work.glob("lib/**/*"), *work.glob("3rdparty/lib/**/*")]:
        if path.suffix in (".a", ".lib"):
            shutil.copy2(path, prefix / "lib")
    jpeg = sources / "opencv/3rdparty/libjpeg-turbo/src"
    for path in [jpeg / "jpeglib.h", jpeg / "jmorecfg.h", jpeg / "jerror.h", work / "3rdparty/libjpeg-turbo/jconfig.h"]:
        shutil.copy2(path, prefix / "include")
    for name, target in LICENSES.items():
        shutil.copy2(sources / name, prefix / "licenses" / target)


def main():
    prefix = ROOT / "build" / f"static-{key()}"
    if not prefix.is_dir():
        check_tools()
        prefix.parent.mkdir(exist_ok=True)
        log = ROOT / "build" / "static.log"
        log.write_bytes(b"")
        with tempfile.TemporaryDirectory(dir=prefix.parent, prefix="static-unfinished-") as folder:
            work, sources, made = (Path(folder, name) for name in ("work", "sources", "made"))
            unpack(source(prefix.parent, log), sources)
            build(sources, work, made, log)
            collect(sources, work, made)
            if not prefix.is_dir():  # another build may have finished first
                made.rename(prefix)
    print(prefix)


if __name__ == "__main__":
    main()
