"""The simulated GPU (tests/gpu/device): builds it into the user's cache and gives PyTorch the device "simulated".

gpu = simulated_gpu.start()                  # SystemExit with a sentence where it cannot be built
x = torch.ones(3, device="simulated:1")
gpu.counter("blocking_to_device")            # 0 after gpu.reset()
"""

import contextlib
import ctypes
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from tools.cross import cache

SOURCES = Path(__file__).with_name("device")
LIBRARY = "simulated_gpu.so"
DEVICES = 2
COUNTERS = (
    "blocking_to_device",
    "async_to_device",
    "blocking_to_host",
    "async_to_host",
    "between_devices",
    "waits",
    "tf32",
    "float16_sums",
    "cache_clearings",
    "refused",
    "pinned",
    "unordered",
)


def compile_into(folder: Path) -> None:
    """With the g++ at hand, for the torch of this Python; about 20 s."""
    compiler, home = shutil.which("g++"), Path(torch.__file__).parent
    if sys.platform != "linux" or not compiler:
        sys.exit("Install g++ on Linux for these tests: they compile a simulated GPU.")
    includes = [f"-I{home / 'include'}", f"-I{home / 'include/torch/csrc/api/include'}"]
    libraries = [f"-L{home / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10"]
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    command = [compiler, "-O1", "-std=c++20", "-shared", "-fPIC", abi, *includes, SOURCES / "simulated_gpu.cpp"]
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        [*command, *libraries, "-o", folder / LIBRARY], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        sys.exit(f"The simulated GPU does not compile with PyTorch {torch.__version__}: {done.stderr[:2000]}")


def library_path() -> Path:
    """Compiled once for each text of its sources and each torch."""
    texts = [path.read_bytes() for path in sorted(SOURCES.iterdir()) if path.suffix in (".cpp", ".h")]
    name = f"simulated-gpu-{cache.digest(*texts, torch.__version__, torch.__file__, sys.platform)}"
    return cache.made_once(name, compile_into) / LIBRARY


class Module:
    """torch.simulated: what PyTorch asks a device's module for."""

    @staticmethod
    def device_count() -> int:
        return start().library.simulated_device_count()

    @staticmethod
    def is_available() -> bool:
        return Module.device_count() > 0

    @staticmethod
    def current_device() -> int:
        return start().library.simulated_current()

    @staticmethod
    def set_device(device) -> None:
        start().library.simulated_set_current(torch.device(device).index if isinstance(device, str) else int(device))

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed) -> None:
        pass


class SimulatedGpu:
    """What tests ask of it and do to it; the C functions are described where they are defined."""

    def __init__(self, path: Path):
        torch.ops.load_library(str(path))
        self.library = library = ctypes.CDLL(str(path))
        library.simulated_operators.restype = library.simulated_lines.restype = ctypes.c_char_p
        library.simulated_live.restype = library.simulated_peak.restype = ctypes.c_longlong
        library.simulated_counter.restype = library.simulated_allocations.restype = ctypes.c_long
        library.simulated_clock.argtypes = [ctypes.c_long, ctypes.c_long]
        library.simulated_clock_ns.restype = ctypes.c_long
        library.simulated_limit.argtypes = [ctypes.c_int, ctypes.c_longlong, ctypes.c_int]
        library.simulated_fail_allocations.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_long, ctypes.c_int]
        library.simulated_lose.argtypes = [ctypes.c_int, ctypes.c_long]
        library.simulated_read_device.argtypes = [ctypes.c_void_p]
        library.simulated_start()
        torch.utils.rename_privateuse1_backend("simulated")
        torch._register_device_module("simulated", Module)

    def reset(self) -> None:
        """All counters, the log, and the peaks."""
        self.library.simulated_reset()
        self.library.simulated_reset_peaks()

    def counter(self, name: str) -> int:
        return self.library.simulated_counter(name.encode())

    def counters(self) -> dict[str, int]:
        return {name: self.counter(name) for name in COUNTERS}

    def operators(self, *devices: int) -> dict[str, tuple[int, int]]:
        """{operator: (calls, bytes read and written)}, of these devices or of all."""
        total: dict[str, tuple[int, int]] = {}
        for device in devices or range(DEVICES):
            for line in self.library.simulated_operators(device).decode().splitlines():
                name, calls, count = line.split("\t")
                before = total.get(name, (0, 0))
                total[name] = before[0] + int(calls), before[1] + int(count)
        return total

    def live(self, device: int) -> int:
        """Bytes that tensors hold on the device."""
        return self.library.simulated_live(device)

    def peak(self, device: int) -> int:
        return self.library.simulated_peak(device)

    def allocations(self, device: int) -> int:
        """Since reset()."""
        return self.library.simulated_allocations(device)

    @contextlib.contextmanager
    def log(self) -> Iterator[list[str]]:
        """The operators of the block with the shapes of their operands, when it ends."""
        lines: list[str] = []
        self.reset()
        self.library.simulated_log(1)
        try:
            yield lines
        finally:
            self.library.simulated_log(0)
            lines += self.library.simulated_lines().decode().splitlines()

    @contextlib.contextmanager
    def memory_limit(self, device: int, count: int, asynchronous: bool = False) -> Iterator[None]:
        """In the block, no more than so many bytes; with the text of one of CUDA's two allocators."""
        self.library.simulated_limit(device, count, asynchronous)
        try:
            yield
        finally:
            self.library.simulated_limit(device, 0, False)

    @contextlib.contextmanager
    def failing_allocations(
        self, device: int, first: int, count: int = 1, asynchronous: bool = False
    ) -> Iterator[None]:
        """In the block, allocation `first` (1: the next) and those after it fail, `count` in all."""
        self.library.simulated_fail_allocations(device, first, count, asynchronous)
        try:
            yield
        finally:
            self.library.simulated_fail_allocations(device, 0, 0, False)

    @contextlib.contextmanager
    def count_only(self) -> Iterator[None]:
        """In the block, operators are counted and not computed: full-size networks run in seconds, without memory."""
        self.library.simulated_count_only(1)
        try:
            yield
        finally:
            self.library.simulated_count_only(0)

    @contextlib.contextmanager
    def delay(self, us: int) -> Iterator[None]:
        """In the block, each operator takes the device so long, and the host does not wait for it."""
        self.library.simulated_delay(us)
        try:
            yield
        finally:
            self.library.simulated_delay(0)

    @contextlib.contextmanager
    def clock(self, operator_us: float, mb_us: float) -> Iterator[Callable[[int], float]]:
        """In the block, a clock for each stream of a device: seconds(device) until the device has done all that it was
        given since the beginning of the block, if an operator and a MiB between it and host memory take so long and the
        host is never late. It delays nothing."""
        self.library.simulated_clock(round(1000 * operator_us), round(1000 * mb_us))
        try:
            yield lambda device: self.library.simulated_clock_ns(device) / 1e9
        finally:
            self.library.simulated_clock(0, 0)

    @contextlib.contextmanager
    def lost(self, device: int, after: int = 0) -> Iterator[None]:
        """In the block, the device is lost after so many more operators: whatever asks it for anything fails."""
        self.library.simulated_lose(device, after)
        try:
            yield
        finally:
            self.library.simulated_lose(device, -1)

    @contextlib.contextmanager
    def types(self, float16: bool = True, bfloat16: bool = True) -> Iterator[None]:
        """In the block, the device says that it computes in these types."""
        ask_again = getattr(torch.accelerator.get_device_capability, "cache_clear", lambda: None)
        self.library.simulated_types(float16, bfloat16)
        ask_again()
        try:
            yield
        finally:
            self.library.simulated_types(1, 1)
            ask_again()

    @contextlib.contextmanager
    def devices(self, count: int) -> Iterator[None]:
        """In the block, there are so many: 0 as with CUDA_VISIBLE_DEVICES empty."""
        self.library.simulated_devices(count)
        try:
            yield
        finally:
            self.library.simulated_devices(2)

    @contextlib.contextmanager
    def without(self, operator: str) -> Iterator[None]:
        """In the block, the device lacks this operator."""
        self.library.simulated_refuse(operator.encode())
        try:
            yield
        finally:
            self.library.simulated_refuse(b"")


@functools.cache
def start() -> SimulatedGpu:
    return SimulatedGpu(library_path())
