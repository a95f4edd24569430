"""The systems that the compiled part is made for, and what each build was tested on: the one table, which `sonic
doctor`, the registry's archive and the README have in common."""

import os
import platform
import struct
import sys
import sysconfig
from typing import NamedTuple

SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}  # by sys.platform
# Names of processors that systems and Python's own platform strings use.
SAME = {"amd64": "x86_64", "arm64": "aarch64", "armv8l": "aarch64", "i386": "x86", "i686": "x86", "win32": "x86"}
NARROW = {"x86_64": "x86", "aarch64": "arm"}  # what a 32-bit Python uses of a 64-bit processor


class Target(NamedTuple):
    """A system that there is a build for. `name` is SONIC_TARGET of csrc/core/target.h, `tag` the end of the wheel's
    file name, in which * stands for what auditwheel adds."""

    name: str
    title: str
    oldest: str  # the oldest system that the build runs on
    suffix: str  # of the binary's file name
    tag: str
    goal: str  # `make GOAL` makes the wheel
    install: str  # the ways, in README's words
    tested: str  # what was run with the build, and where
    on_itself: bool  # whether that was such a system, and no emulator


TARGETS = (
    Target(
        name="linux-x86_64",
        title="Linux on x86-64",
        oldest="glibc 2.27",
        suffix=".abi3.so",
        tag="cp310-abi3-*manylinux*_x86_64.whl",
        goal="wheel",
        install="archive, wheel or `make build`",
        tested="the whole test suite, on Debian 12 and 13",
        on_itself=True,
    ),
    Target(
        name="windows-x86_64",
        title="Windows on x86-64",
        oldest="Windows 10",
        suffix=".pyd",
        tag="cp310-abi3-win_amd64.whl",
        goal="wheel-windows",
        install="archive or wheel",
        tested="most of the test suite under Wine, not on Windows itself",
        on_itself=False,
    ),
    Target(
        name="linux-aarch64",
        title="Linux on 64-bit Arm",
        oldest="glibc 2.28",
        suffix=".abi3.so",
        tag="cp310-abi3-*manylinux*_aarch64.whl",
        goal="wheel-aarch64",
        install="archive or wheel",
        tested="render, operators, sound under qemu, not on Arm itself",
        on_itself=False,
    ),
    Target(
        name="macos-arm64",
        title="macOS on Apple processors",
        oldest="macOS 11",
        suffix=".abi3.so",
        tag="cp310-abi3-macosx_*_arm64.whl",
        goal="wheel-macos",
        install="archive or wheel",
        tested="not run: linked; exports, imports and signature checked",
        on_itself=False,
    ),
)

# Systems that there is no build for: (title, what their users can do). The name is that of `this`.
OTHERS = {
    "windows-arm64": ("Windows on Arm", "Use the x86-64 Python, which Windows on Arm runs, too"),
    "windows-x86": ("32-bit Python on Windows", "Use a 64-bit Python"),
    "macos-x86_64": ("macOS on Intel processors", "Use the arm64 Python if this Mac has an Apple processor"),
    "linux-x86": ("32-bit Linux", "Use a 64-bit Linux"),
    "linux-arm": ("32-bit Linux on Arm", "Use a 64-bit Linux"),
    "linux-musl-x86_64": ("Linux on x86-64 without glibc", "Use a Linux with glibc, say Debian or Ubuntu"),
    "linux-musl-aarch64": ("Linux on 64-bit Arm without glibc", "Use a Linux with glibc, say Debian or Ubuntu"),
}


def this() -> str:
    """The name of this Python's target. An emulated Python has that of the emulated processor, whose files it loads."""
    system, machine = SYSTEMS.get(sys.platform, sys.platform).lower(), processor()
    if system != "linux" and machine == "aarch64":
        machine = "arm64"
    return "-".join([system, *(["musl"] if system == "linux" and not has_glibc() else []), machine])


def processor() -> str:
    """The processor that this Python is made for: "x86_64", "aarch64", ...

    On Windows that is not platform.machine(), which names the machine's own also in an emulated Python.
    """
    windows = sysconfig.get_platform() if sys.platform == "win32" else ""  # "win-amd64", "win-arm64", "win32"
    name = (windows.removeprefix("win-") or platform.machine()).lower()
    name = SAME.get(name, name)
    return NARROW.get(name, name) if struct.calcsize("P") == 4 else name


def has_glibc() -> bool:
    """Whether the C library is glibc: musl, of Alpine, does not know the name."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError, AttributeError):
        return False


def find(name: str) -> Target | None:
    return next((target for target in TARGETS if target.name == name), None)


def title(name: str) -> str:
    target = find(name)
    return target.title if target else OTHERS.get(name, (name, ""))[0]


def no_build(name: str) -> str:
    """One sentence without its full stop, for a target that has none."""
    titles = [target.title for target in TARGETS]
    listed = f"{', '.join(titles[:-1])} and {titles[-1]}"
    return f"there is no build for {title(name)} ({name}), but for {listed}"
