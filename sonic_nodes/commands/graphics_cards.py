"""What `sonic doctor` says of the graphics cards: each by index, and what computes on it."""

import ctypes
import sys
from dataclasses import asdict, dataclass

from ..errors import InstallError, is_out_of_memory
from ..printable import printable

VERSION_BYTES = 96  # NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE is 80


@dataclass(frozen=True)
class Card:
    device: str
    name: str
    free_bytes: int | None = None
    total_bytes: int | None = None
    compute_capability: str | None = None
    problem: str | None = None  # why it does not answer

    @property
    def text(self) -> str:
        if self.problem:
            return f"{self.device}: {self.name}, does not answer: {self.problem}"
        capability = f", compute capability {self.compute_capability}" if self.compute_capability else ""
        memory = f"{self.free_bytes / 1e9:.1f} of {self.total_bytes / 1e9:.1f} GB free"
        return f"{self.device}: {self.name}{capability}, {memory}"


def devices() -> list:
    """All that PyTorch sees, of whatever kind."""
    import torch

    kind = torch.accelerator.current_accelerator(check_available=True)
    return [torch.device(kind.type, i) for i in range(torch.accelerator.device_count())] if kind else []


def card_of(device) -> Card:
    import torch

    from ..memory.device import memory_bytes, name_of

    name, is_nvidia = device.type, device.type == "cuda" and not torch.version.hip
    try:
        name = printable(name_of(device))
        free, total = memory_bytes(device)
        capability = "{}.{}".format(*torch.cuda.get_device_capability(device)) if is_nvidia else None
    except Exception as error:  # its text is the driver's
        if is_out_of_memory(error):
            raise
        return Card(str(device), name, problem=printable((str(error).splitlines() or [""])[0].rstrip(".")))
    return Card(str(device), name, free, total, capability)


def examine() -> tuple[str, dict]:
    """(text, facts) of all cards; ("", {}) where there is none."""
    cards = [card_of(device) for device in devices()]
    if not cards:
        return "", {}
    driver = driver_version() if cards[0].device.startswith("cuda") else ""
    lines = [*([f"driver {driver}"] if driver else []), *(card.text for card in cards)]
    return "\n".join(lines), {"driver": driver, "cards": [asdict(card) for card in cards]}


def examine_kernels(dtype) -> tuple[bool, str, dict]:
    """(whether every card computes with kernels of our own, text, {"kernels": {device: names}})."""
    from ..extension.native import _sonic
    from ..kernels import prepare

    names, lines, chosen = list(_sonic.kernels_launches()), [], {}
    found = [str(device) for device in devices()] or ["cpu"]
    for device in found:
        reason = prepare(device, dtype)
        chosen[device] = [] if reason else names
        here = f"{device}: " if len(found) > 1 else ""
        used = f"{here}compiled and loaded: {', '.join(names)}"
        lines.append(f"{here}not in use: {reason}; PyTorch computes the same" if reason else used)
    return all(chosen.values()), "\n".join(lines), {"kernels": chosen}


# Of the driver, by its own libraries


def driver_version() -> str:
    """ "570.86.10, CUDA 12.8" of NVIDIA's driver, as far as it says so; "" where it does not."""
    parts = [_version_by_nvml(), _cuda_of_driver()]
    return ", ".join(part for part in parts if part)


def find_nvml() -> ctypes.CDLL:
    return ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")


def _version_by_nvml() -> str:
    """NVML API Reference, "System Queries"."""
    text = ctypes.create_string_buffer(VERSION_BYTES)
    try:
        nvml = find_nvml()
        if nvml.nvmlInit_v2():
            return ""
        failed = nvml.nvmlSystemGetDriverVersion(text, VERSION_BYTES)
        nvml.nvmlShutdown()
    except (OSError, AttributeError):
        return ""
    return "" if failed else printable(text.value.decode("ascii", "replace"))


def _cuda_of_driver() -> str:
    """CUDA Driver API, "Version Management": 12080 is 12.8."""
    version = ctypes.c_int()
    try:
        from ..kernels import find_driver

        failed = find_driver().cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError, InstallError):
        return ""
    return "" if failed else f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
