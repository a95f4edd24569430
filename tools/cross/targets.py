"""The systems that the extension is built for. SONIC_TARGET names one; without it, it is this machine.

A target says how its compiler is called and what differs from the others; the rest of the build asks it, and nothing
else asks for the name of a system. A new one is a row of TARGETS.
"""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import zig

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """One system: its compiler, flags, libraries and names of files."""

    name: str  # as in SONIC_TARGET
    system: str  # "linux", "windows", "macos"
    machine: str  # "x86_64", "aarch64"; macOS says "arm64"
    wheel_tag: str  # platform tag of the wheel before a tool repairs it
    extension: str = "_sonic.abi3.so"  # the file that the system's Python looks for
    zig_triple: str = ""  # the compiler is Zig's, for this triple
    tool_prefix: str = ""  # or GCC with this prefix, such as "aarch64-linux-gnu-"
    compile_flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()
    strip_flags: tuple[str, ...] = ("-Wl,-s",)
    unused_flags: tuple[str, ...] = ("-Wl,--gc-sections",)  # drop what static libraries bring and nothing calls
    libraries: tuple[str, ...] = ()  # beside torch_cpu
    compiler_package: str = "g++"  # Debian's
    links_torch: bool = True  # or looks its functions up among the loaded libraries
    cmake: Mapping[str, str] = field(default_factory=dict)  # for the static libraries

    @property
    def is_native(self) -> bool:
        return not (self.zig_triple or self.tool_prefix)

    @property
    def is_x86(self) -> bool:
        return self.machine == "x86_64"

    @property
    def link_runtime_flags(self) -> tuple[str, ...]:
        """Zig makes the C and C++ runtime anew for each set of these flags that a link has, in minutes: all links,
        also CMake's, have one set."""
        return ("-O3", "-ffunction-sections", "-fdata-sections") if self.zig_triple else ()

    @property
    def log(self) -> Path:
        return ROOT / "build" / f"tools-{self.name}.log"

    def compilers(self) -> tuple[list[str], list[str]] | None:
        """The commands for C and for C++; none where setuptools or the environment choose."""
        if self.zig_triple:
            self.log.parent.mkdir(exist_ok=True)
            return tuple(zig.compiler(self.log, self.zig_triple, language) for language in ("cc", "c++"))
        if self.tool_prefix:
            return [f"{self.tool_prefix}gcc"], [f"{self.tool_prefix}g++"]
        return None

    def licenses(self) -> dict[Path, str]:
        """Licences of what the compiler itself links into a binary: file -> name in the wheel."""
        return zig.licenses(self.log, self.zig_triple) if self.zig_triple else {}

    def cmake_options(self) -> dict[str, str]:
        """CMake's names of the compiler and the system, for a target that is not this machine."""
        compilers = self.compilers()
        if compilers is None:
            return {}
        systems = {"linux": "Linux", "windows": "Windows", "macos": "Darwin"}
        chosen = {
            "CMAKE_SYSTEM_NAME": systems[self.system],
            "CMAKE_SYSTEM_PROCESSOR": self.machine,
            "CMAKE_C_COMPILER": ";".join(compilers[0]),
            "CMAKE_CXX_COMPILER": ";".join(compilers[1]),
            # Other links, with more flags, would each make the runtime anew.
            "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY",
            # Nothing of this machine is for the target.
            "CMAKE_FIND_ROOT_PATH": str(ROOT / "build" / "nothing"),
            "CMAKE_FIND_ROOT_PATH_MODE_PROGRAM": "NEVER",
            "CMAKE_FIND_ROOT_PATH_MODE_LIBRARY": "ONLY",
            "CMAKE_FIND_ROOT_PATH_MODE_INCLUDE": "ONLY",
        }
        if self.zig_triple:
            programs = zig.folder(self.log) / "bin"
            chosen |= {f"CMAKE_{name}": str(programs / name.lower()) for name in ("AR", "RANLIB")}
            chosen["CMAKE_RC_COMPILER"] = str(programs / "rc")
        return {**chosen, **self.cmake}


PIC = ("-fPIC",)
ELF_LINK = ("-Wl,--as-needed", "-Wl,--version-script=csrc/bindings/exports.map")
WINDOWS = Target(
    "windows-x86_64",
    "windows",
    "x86_64",
    "win_amd64",
    extension="_sonic.pyd",
    zig_triple="x86_64-windows-gnu",
    # MinGW has M_PI only where it is asked for; -fPIC means nothing there.
    compile_flags=("-D_USE_MATH_DEFINES",),
    # Zig writes an import library for the extension, by default beside it, from where it would get into the wheel.
    link_flags=("-Wl,--out-implib,build/windows-x86_64/unused.lib",),
    strip_flags=("-s",),
    libraries=("python3", "ole32"),
    cmake={"CMAKE_SYSTEM_PROCESSOR": "AMD64"},
)
MACOS = Target(
    "macos-arm64",
    "macos",
    "arm64",
    "macosx_11_0_arm64",
    zig_triple="aarch64-macos.11.0",
    # OpenCV's headers make its functions exports there, and Zig's linker knows no list of what to export
    # (csrc/core/hidden_new.c hides the rest).
    compile_flags=(*PIC, "-DCV_EXPORTS="),
    links_torch=False,
    # Python is the program itself there, PyTorch is loaded before. Without a name the file has its folder in it.
    link_flags=("-Wl,-undefined,dynamic_lookup", "-Wl,-install_name,@rpath/_sonic.abi3.so"),
    strip_flags=("-s",),
    unused_flags=("-Wl,-dead_strip",),
    # PyTorch 2.10 and later have no macOS before 11, and Apple's processors neither.
    cmake={"CMAKE_OSX_DEPLOYMENT_TARGET": "11.0", "CMAKE_OSX_SYSROOT": "", "CMAKE_INSTALL_NAME_TOOL": "/bin/true"},
)
# Debian's cross compiler instead of Zig: libtorch uses libstdc++ there, and its exceptions and ours are then the same.
LINUX_AARCH64 = Target(
    "linux-aarch64",
    "linux",
    "aarch64",
    "linux_aarch64",
    tool_prefix="aarch64-linux-gnu-",
    compiler_package="g++-aarch64-linux-gnu",
    compile_flags=PIC,
    link_flags=ELF_LINK,
    libraries=("m",),
)
TARGETS = {target.name: target for target in (WINDOWS, LINUX_AARCH64, MACOS)}


def native() -> Target:
    """This machine, with the compiler that its Python names."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    if sys.platform == "darwin":
        # Untested: .github/workflows/wheels.yml is the recipe.
        flags = ("-Wl,-dead_strip", "-Wl,-exported_symbol,_PyInit__sonic")
        return Target(
            "native", "macos", machine, "", compile_flags=PIC, link_flags=flags, strip_flags=(), unused_flags=()
        )
    return Target("native", "linux", machine, "", compile_flags=PIC, link_flags=ELF_LINK, libraries=("m",))


def chosen() -> Target:
    name = os.environ.get("SONIC_TARGET")
    if not name:
        if sys.platform == "win32":
            sys.exit("Install the wheel for Windows: it is built on Linux (make wheel-windows), not on Windows.")
        return native()
    if name not in TARGETS:
        sys.exit(f"Set SONIC_TARGET to one of {', '.join(TARGETS)}, or leave it out: {name} is none of them.")
    return TARGETS[name]
