"""The memory of this machine and of this process, as the system reports it. Nothing here imports PyTorch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

WINDOWS = os.name == "nt"


def available_bytes() -> int | None:
    """System memory that is available without swapping; None where the system does not report it."""
    try:
        import psutil  # installed with ComfyUI

        return psutil.virtual_memory().available
    except ImportError:
        pass
    if WINDOWS:
        return _available_on_windows()
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def resident_bytes() -> int | None:
    """Resident memory of this process now; None where the system does not report it."""
    if sys.platform.startswith("linux"):
        try:
            return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return None
    try:
        import psutil

        return psutil.Process().memory_info().rss
    except ImportError:
        return None


def peak_resident_bytes() -> int | None:
    """The highest resident memory of this process so far; None where the system does not report it."""
    if WINDOWS:
        return _peak_on_windows()
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _available_on_windows() -> int | None:
    """ullAvailPhys of MEMORYSTATUSEX (sysinfoapi.h)."""
    import ctypes

    class MemoryStatus(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load_percent", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "available", "page_total", "page_free", "v", "f", "x")),
        )

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    done = ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
    return status.available if done else None


def _peak_on_windows() -> int | None:
    """PeakWorkingSetSize of PROCESS_MEMORY_COUNTERS (psapi.h)."""
    import ctypes

    class Counters(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("faults", ctypes.c_uint32),
            *((name, ctypes.c_size_t) for name in ("peak", "now", "a", "b", "c", "d", "e", "f")),
        )

    kernel32, counters = ctypes.WinDLL("kernel32"), Counters()
    process = ctypes.c_void_p(kernel32.GetCurrentProcess())
    kernel32.K32GetProcessMemoryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
    done = kernel32.K32GetProcessMemoryInfo(process, ctypes.byref(counters), ctypes.sizeof(Counters))
    return counters.peak if done else None
