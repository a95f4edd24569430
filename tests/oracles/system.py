"""What tests ask of the system in other words on Windows: peak memory, links, pipes in a folder, mapped files."""

import os
import shutil
import sys
from pathlib import Path

WINDOWS = sys.platform == "win32"


def is_wine() -> bool:
    """Whether this Windows is Wine, which says so by a function of its own."""
    import ctypes

    return WINDOWS and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def file_names(*names: str) -> list[str]:
    """Those of the names that this system can give to a file: Windows forbids some characters."""
    return [name for name in names if not (WINDOWS and any(c < " " or c in '<>:"/\\|?*' for c in name))]


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    if WINDOWS:
        return _memory_counters()[1]
    if sys.platform == "linux":  # where ru_maxrss begins with the peak of the process that started this one
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def resident_memory() -> int:
    """The resident size of this process now, in bytes; on Linux and Windows."""
    if WINDOWS:
        return _memory_counters()[2]
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _memory_counters():
    import ctypes
    from ctypes import wintypes

    # https://learn.microsoft.com/windows/win32/api/psapi/ns-psapi-process_memory_counters: two numbers of 32 bits,
    # then eight of the size of a pointer, of which the first two are PeakWorkingSetSize and WorkingSetSize
    counters = (ctypes.c_size_t * 9)()
    process = ctypes.WinDLL("kernel32").GetCurrentProcess
    process.restype = wintypes.HANDLE
    ask = ctypes.WinDLL("psapi").GetProcessMemoryInfo
    ask.argtypes = [wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD]
    if not ask(process(), counters, ctypes.sizeof(counters)):
        raise OSError("GetProcessMemoryInfo failed")
    return counters


def make_link(path: Path, target) -> bool:
    """A symbolic link, where the system lets this user make one: on Windows in developer mode. Wine's lead nowhere."""
    if is_wine():
        return False
    try:
        path.symlink_to(target, target_is_directory=os.path.isdir(target))
    except (OSError, NotImplementedError):
        if not WINDOWS:
            raise
        return False
    return True


def make_pipe(path: Path) -> bool:
    """A named pipe in a folder, which Windows does not have."""
    if WINDOWS:
        return False
    os.mkfifo(path)
    return True


def is_mapped(path: Path) -> bool:
    """Whether the file is mapped into this process: Linux lists it, Windows does not let it be replaced."""
    if not WINDOWS:
        return str(path.resolve()) in Path("/proc/self/maps").read_text()
    copy = path.with_suffix(".copy")
    shutil.copy2(path, copy)
    try:
        os.replace(copy, path)
    except PermissionError:
        copy.unlink()
        return True
    return False


def take_away(path: Path) -> None:
    """Deletes a file that may be mapped. Windows has it renamed at most."""
    if WINDOWS:
        path.rename(next(name for i in range(1000) if not (name := path.with_suffix(f".old{i}")).exists()))
    else:
        path.unlink()


def put_in_place(new: Path, path: Path) -> None:
    """Renames `new` to the name of a file that may be mapped."""
    if WINDOWS:
        take_away(path)
    os.replace(new, path)
