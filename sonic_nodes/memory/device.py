"""What a compute device is asked for besides arithmetic: free memory, waiting, types. CUDA and ROCm are both "cuda";
every other kind (XPU, MPS, ...) answers through torch.accelerator, as far as PyTorch has it there."""

import contextlib

import torch

from ..errors import UsageError

FLOAT16_FROM, BFLOAT16_FROM = (5, 3), (8, 0)  # compute capability: CUDA C++ Programming Guide, "Arithmetic"


def free_bytes(device: torch.device) -> int:
    """Of the device's memory, what its allocator holds unused included. UsageError where PyTorch cannot say."""
    return memory_bytes(device)[0]


def memory_bytes(device: torch.device) -> tuple[int, int]:
    """(free, as in free_bytes; all) of the device's memory."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return free + unused_bytes(torch.cuda, device), total
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return total - torch.mps.current_allocated_memory(), total
    try:
        free, total = torch.accelerator.get_memory_info(device)
        return free + unused_bytes(torch.accelerator, device), total
    except (RuntimeError, ValueError, AttributeError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        raise UsageError(
            f"Choose the device cpu or cuda: PyTorch {torch.__version__} does not say how much memory {device} has "
            f"({why})."
        ) from None


def unused_bytes(kind, device: torch.device) -> int:
    """Bytes that torch's allocator has reserved and not handed out. kind: torch.cuda or torch.accelerator."""
    return kind.memory_reserved(device) - kind.memory_allocated(device)


def used_bytes(device: torch.device) -> int | None:
    """Bytes that torch's allocator has handed out; None where PyTorch cannot say."""
    if device.type == "mps":
        return torch.mps.current_allocated_memory()
    try:
        return (torch.cuda if device.type == "cuda" else torch.accelerator).memory_allocated(device)
    except (RuntimeError, ValueError, AttributeError):
        return None


def clear_cache(device: torch.device):
    """Gives memory that the allocator holds unused back to the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type != "cpu":
        with contextlib.suppress(RuntimeError, AttributeError):  # a kind without a cache has nothing to give back
            torch.accelerator.empty_cache()


def wait_for(device: torch.device):
    """Returns when the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type != "cpu":
        torch.accelerator.synchronize(device)


def name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(device)


def computes_in(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the device has arithmetic in this type. Cards before sm_80 only emulate bfloat16, many times slower."""
    if device.type in ("cpu", "meta") or dtype == torch.float32:
        return True
    if device.type == "cuda":
        least = {torch.float16: FLOAT16_FROM, torch.bfloat16: BFLOAT16_FROM}[dtype]
        return bool(torch.version.hip) or torch.cuda.get_device_capability(device) >= least
    try:
        return dtype in torch.accelerator.get_device_capability(device)["supported_dtypes"]
    except (RuntimeError, AttributeError, KeyError):  # the check of its operators decides
        return True
