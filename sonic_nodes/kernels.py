"""Kernels of our own for graphics cards (csrc/kernels): finds the compiler and the driver, keeps what was compiled, and
loads it. Before a run is trusted to them they are compared with PyTorch's operators on that very card.

The compiler is NVRTC, which PyTorch for CUDA brings; the driver is the system's. A compiled image is kept in the user's
cache, under a name made of everything it depends on, and checked when it is read. Where any of this fails PyTorch's own
operators compute the same, and `prepare` says why.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F

from .extension.native import _sonic, call
from .media.temporary import TemporaryFolder

VALUES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}  # as sonic_dtype of csrc/torch/tensor.h
DEVICE_TYPES = {"cpu": 0, "cuda": 1, "privateuseone": 20}  # PyTorch's numbers (c10/core/DeviceType.h)
OLDEST = (7, 5)  # of the cards that the kernels are compiled for
CHECKED_WITHIN = {torch.float32: 1e-4, torch.float16: 4e-3, torch.bfloat16: 3e-2}
MAGIC = b"sonic kernels 1\n"
MAX_IMAGE_BYTES = 16 << 20
DISABLED = "SONIC_KERNELS"  # an environment variable: 0 leaves everything to PyTorch

_outcomes: dict[tuple[torch.device, torch.dtype], str] = {}


def prepare(device: torch.device | str, dtype: torch.dtype) -> str:
    """Loads the kernels for tensors of that type on that device, once a process; "" when they are in use, else the
    reason why PyTorch's operators compute instead."""
    device = _with_index(torch.device(device))
    key = (device, dtype)
    if key not in _outcomes:
        _outcomes[key] = _prepare(device, dtype)
    return _outcomes[key]


def prepare_all(devices: Sequence[torch.device], dtype: torch.dtype) -> str:
    """prepare() for cards that share a run. When one cannot use the kernels none does: all give the same bits."""
    for device in devices:
        reason = prepare(device, dtype)
        if reason and len(devices) > 1:
            unload()
        if reason:
            return reason
    return ""


def _with_index(device: torch.device) -> torch.device:
    if device.type == "cuda" and device.index is None and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return device


def _prepare(device: torch.device, dtype: torch.dtype) -> str:
    reason = _unsuitable(device, dtype)
    if reason:
        return reason
    try:
        load(device, dtype, architecture(device), find_compiler(), find_driver())
        wrong = differing(device, dtype)
    except (OSError, RuntimeError, ValueError) as error:
        unload()
        return str(error).split("\n")[0]
    if wrong:
        unload()
        return f"on this card {', '.join(wrong)} gave other numbers than PyTorch's operators"
    return ""


def _unsuitable(device: torch.device, dtype: torch.dtype) -> str:
    if os.environ.get(DISABLED) == "0":
        return f"{DISABLED}=0 switches them off"
    if device.type != "cuda" or torch.version.hip:
        return "there are kernels for NVIDIA cards only"
    if dtype not in VALUES:
        return f"there are none for {dtype}"
    capability = torch.cuda.get_device_capability(device)
    if capability < OLDEST:
        return "there are none for cards before the RTX 20 series (compute capability {}.{})".format(*capability)
    return ""


def architecture(device: torch.device) -> str:
    return "sm_{}{}".format(*torch.cuda.get_device_capability(device))


def load(
    device: torch.device, dtype: torch.dtype, card: str, compiler: ctypes.CDLL, driver: ctypes.CDLL, folder=None
) -> None:
    """Loads the kernels for `card` ("sm_86") from the cache in `folder`, or compiles them. Raises OSError or
    RuntimeError with a sentence."""
    _use_driver(driver)
    place = (DEVICE_TYPES[device.type], device.index or 0, VALUES[dtype])
    kept = image_path(folder or cache_folder(), compiler, card, dtype)
    image = read_image(kept)
    if image is not None:
        with suppress(RuntimeError):  # a driver that refuses what an older one took: compile again
            _sonic.kernels_load(*place, image)
            return
    image, _log = _sonic.kernels_compile(compiler._handle, card, VALUES[dtype])
    _sonic.kernels_load(*place, image)
    with suppress(OSError):  # a cache that cannot be written costs two seconds the next time
        write_image(kept, image)


@lru_cache(maxsize=1)
def _use_driver(driver: ctypes.CDLL) -> None:
    _sonic.kernels_use_driver(driver._handle)


def unload() -> None:
    """PyTorch's operators compute from now on."""
    _sonic.kernels_unload()
    _use_driver.cache_clear()
    _outcomes.clear()


# The check on the card: a few numbers through each kernel, before any clip is trusted to it


def differing(device: torch.device, dtype: torch.dtype) -> list[str]:
    """The kernels whose results on the device are further from PyTorch's, in float32, than rounding explains."""
    return [name for name, error in errors(device, dtype).items() if not error <= CHECKED_WITHIN[dtype]]


def errors(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """{kernel: largest error, as a share of the largest number}."""

    def numbers(*shape: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(sum(shape))
        return torch.randn(shape, generator=generator).to(device, dtype)

    def compared(name: str, tensors: dict[str, torch.Tensor], settings, expected: torch.Tensor) -> float:
        ours = call(name, list(tensors.values()), "\n".join(tensors), settings)[0].float()
        return float((ours - expected).abs().max() / expected.abs().max())

    images, rows, width = numbers(3, 1, 300, 64), numbers(19, 66), 66
    norms = {"x": images, "before": numbers(64), "weight": numbers(64), "bias": numbers(64)}
    x, before, weight, bias = (t.float() for t in norms.values())
    grouped = F.silu(F.group_norm((x + before).movedim(-1, 1), 32, weight, bias, 1e-5).movedim(1, -1))
    lines = {"x": rows, "before": numbers(width), "weight": numbers(width), "bias": numbers(width)}
    y = F.layer_norm((rows + lines["before"]).float(), [width], *(lines[n].float() for n in ("weight", "bias")), 1e-5)
    a, gate = numbers(9, 132).float().chunk(2, 1)
    added = {"x": rows, "y": numbers(19, 66).flip(0), "bias": numbers(width)}
    total = added["x"].float() + 0.5 * added["y"].float() + added["bias"].float()
    return {
        "group_norm": compared("fused_group_norm", norms, [32, 1e-5, 1], grouped),
        "layer_norm": compared("fused_layer_norm", lines, [1e-5], y),
        "geglu": compared("fused_geglu", {"both": numbers(9, 132)}, [], a * F.gelu(gate)),
        "add_scaled": compared("fused_add_scaled", added, [0.5], total),
    }


# Images


def cache_folder() -> Path:
    if os.environ.get("SONIC_CACHE"):
        return Path(os.environ["SONIC_CACHE"], "kernels")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home(), "sonic", "kernels")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sonic", "kernels")


def image_path(folder: Path, compiler: ctypes.CDLL, card: str, dtype: torch.dtype) -> Path:
    version = _sonic.kernels_compiler_version(compiler._handle)
    parts = (_sonic.kernels_source(), version, card, VALUES[dtype])
    return Path(folder, f"{card}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:20]}.cubin")


def read_image(path: Path) -> bytes | None:
    """None when there is none, or when it is not whole."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
    except OSError:
        return None
    head = len(MAGIC) + hashlib.sha256().digest_size
    image = data[head:]
    if len(data) > MAX_IMAGE_BYTES or data[:head] != MAGIC + hashlib.sha256(image).digest():
        return None
    return image


def write_image(path: Path, image: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = TemporaryFolder(path.parent, path.name)
    try:
        Path(temporary.output).write_bytes(MAGIC + hashlib.sha256(image).digest() + image)
        os.replace(temporary.output, path)
    finally:
        temporary.remove()


# Libraries


def find_compiler() -> ctypes.CDLL:
    """NVRTC of this PyTorch. Raises OSError with a sentence."""
    major = (torch.version.cuda or "").split(".")[0]
    names = {"win32": f"nvrtc64_{major}0_0.dll"}.get(sys.platform, f"libnvrtc.so.{major}")
    for path in [*_beside_torch(names), names]:
        with suppress(OSError):
            return ctypes.CDLL(str(path))
    raise OSError(f"Install PyTorch for CUDA from pytorch.org: {names}, the compiler of the card, was not found")


def _beside_torch(name: str) -> list[Path]:
    torch_folder = Path(torch.__file__).parent
    return [*(torch_folder / "lib").glob(name), *(torch_folder.parent / "nvidia").glob(f"*/lib/{name}")]


def find_driver() -> ctypes.CDLL:
    """Raises OSError with a sentence."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise OSError(f"Install NVIDIA's driver: {name} does not load ({error})") from None
