"""Where the networks run: the device that a user named, the types it computes in, the operators it has."""

import contextlib
import functools
from collections.abc import Callable, Sequence

import torch

from ..errors import DeviceError, ResourceError, SonicError, UsageError, is_out_of_memory
from ..extension.native import call
from ..extension.precision import float16_sums
from ..memory.device import computes_in, name_of

ALL = "all"  # the name of all cards
DEVICES_MAX = 16  # SONIC_DEVICES_MAX of csrc/torch/tensor.h
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# One call of each kind of operator that the networks make, with the shapes of its operands and its numbers: kernels
# that some devices lack, in PyTorch or in their driver (csrc/torch/tensor_operator.h).
OPERATORS = (
    ("conv1d", ((1, 4, 8), (4, 4, 3), (4,)), (1, 1, 1)),
    ("conv2d", ((1, 4, 8, 8), (4, 4, 3, 3), (4,)), (1, 1, 1)),
    ("conv3d", ((1, 4, 3, 4, 4), (4, 4, 3, 1, 1), (4,)), (1, 0, 0)),
    ("conv_transpose2d", ((1, 4, 8, 8), (4, 4, 4, 4), (4,)), (2, 1)),
    ("linear", ((2, 8), (4, 8), (4,)), ()),
    ("matmul", ((2, 4, 8), (2, 8, 4)), ()),
    ("group_norm", ((1, 4, 8, 8), (4,), (4,)), (2, 1e-6)),
    ("layer_norm", ((2, 8), (8,), (8,)), (1e-5,)),
    ("attention", ((1, 2, 4, 8),) * 3, (0,)),
    ("softmax", ((2, 8),), (1,)),
    ("silu_in_place", ((2, 8),), ()),
    ("gelu_in_place", ((2, 8),), ()),
    ("sigmoid", ((2, 8),), ()),
    ("prelu", ((1, 4, 8, 8), (4,)), ()),
    ("add_product_in_place", ((2, 8),) * 3, (0.5,)),
    ("lerp_in_place", ((2, 8),) * 2, (0.5,)),
    ("add_linear_in_place", ((2, 4), (2, 8), (4, 8)), ()),
    ("sub", ((2, 8),) * 2, ()),
    ("clamp", ((2, 8),), (0, 1)),
    ("cat", ((2, 8),) * 2, (0,)),
    ("mean", ((2, 8),), (0,)),
    ("resize_nearest", ((1, 4, 8, 8),), (2,)),
    ("resize_bilinear", ((1, 4, 8, 8),), (4, 4)),
    ("grid_sample", ((1, 4, 8, 8), (1, 8, 8, 2)), ()),
)


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".")


def device_of(name: str) -> torch.device:
    """Raises UsageError for a device that cannot be used. "auto": the graphics card if it has the operators."""
    if name == "auto":
        return best_device()
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
        return device
    except (RuntimeError, AssertionError) as error:
        kind, count = accelerators()
        there = " or ".join(["cpu", *(f"{kind}:{i}" for i in range(count))])
        raise UsageError(f"Choose the device {there}: {name!r} cannot be used ({first_line(error)}).") from None


def devices_of(name: str) -> tuple[torch.device, ...]:
    """The cards of "cuda:0,cuda:1" or of "all", which share the windows of a step while the first does all else; or the
    one device of any other name. Raises UsageError for a device that cannot be used, and for devices that cannot
    share."""
    if name == ALL:
        main = best_device()
        return (main,) if main.type == "cpu" else (with_index(main), *other_cards(main))
    if "," not in name:
        return (device_of(name),)
    found = tuple(with_index(device_of(part.strip())) for part in name.split(","))
    check_list(found, name)
    return found


def check_list(devices: Sequence[torch.device], name: str):
    kinds = sorted({device.type for device in devices})
    if len(kinds) > 1 or "cpu" in kinds:
        raise UsageError(
            f"Choose graphics cards of one kind, such as cuda:0,cuda:1, or one device: {name!r} lists "
            f"{' and '.join(kinds)}."
        )
    twice = next((str(device) for device in devices if devices.count(device) > 1), None)
    if twice:
        raise UsageError(f"Name each graphics card once: {name!r} lists {twice} twice.")
    if len(devices) > DEVICES_MAX:
        raise UsageError(f"Choose up to {DEVICES_MAX} graphics cards: there are {len(devices)}.")


def with_index(device: torch.device) -> torch.device:
    """A card with its number: the current one where it has none."""
    if device.type == "cpu" or device.index is not None:
        return device
    return torch.device(device.type, torch.accelerator.current_device_index())


def other_cards(main: torch.device) -> tuple[torch.device, ...]:
    """All others of its kind that PyTorch sees, up to DEVICES_MAX with it."""
    kind, count = accelerators()
    if kind != main.type:
        return ()
    others = [torch.device(kind, i) for i in range(count) if i != with_index(main).index]
    return tuple(others[: DEVICES_MAX - 1])


def accelerators() -> tuple[str, int]:
    """(kind, number) of the graphics cards that PyTorch sees."""
    kind = torch.accelerator.current_accelerator(check_available=True)
    return (kind.type, torch.accelerator.device_count()) if kind else ("cuda", 0)


def best_device() -> torch.device:
    kind, count = accelerators()
    if not count or (kind != "cuda" and lacking_operators(torch.device(kind), torch.float16)):
        return torch.device("cpu")
    return torch.device(kind)


def usual_dtype(device: torch.device) -> torch.dtype:
    """Of precision "auto", where memory does not decide."""
    return torch.float32 if device.type == "cpu" else computable(device, torch.float16)


def computable(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """`dtype`, or what comes next to it on this device: float16, else float32."""
    return next(kind for kind in (dtype, torch.float16, torch.float32) if computes_in(device, kind))


def no_float16_sums(device: torch.device, dtype: torch.dtype) -> str:
    """Why sums in float16 are of no use; "" on GeForce RTX cards, whose tensor cores take twice the time for sums in
    float32 ("NVIDIA Ada GPU Architecture", appendix A; the papers on Turing and GA102 say the same)."""
    if device.type != "cuda" or torch.version.hip:
        return "it is for NVIDIA GeForce RTX cards only"
    if float16_sums(torch.backends.cuda.matmul) is None:
        return f"PyTorch {torch.__version__} cannot switch it on"
    if "GeForce RTX" not in name_of(device):
        return f"{name_of(device)} is as fast without it"
    return "" if dtype == torch.float16 else "it is for precision fp16 only"


def dtype_on_all(devices: Sequence[torch.device], precision: str) -> torch.dtype | None:
    """dtype_on of each; where one of them has float32 alone, that."""
    found = [dtype_on(device, precision) for device in devices]
    return torch.float32 if torch.float32 in found else found[0]


def dtype_on(device: torch.device, precision: str) -> torch.dtype | None:
    """The type of "fp32", "fp16" or "bf16"; None where the plan chooses ("auto"). Raises UsageError for one that the
    device does not compute in."""
    dtype = DTYPES.get(precision)
    if dtype is None:
        return None if computable(device, torch.float16) == torch.float16 else torch.float32
    if not computes_in(device, dtype):
        others = " or ".join(name for name, kind in DTYPES.items() if computes_in(device, kind))
        raise UsageError(f"Choose precision {others}: {name_of(device)} does not compute in {precision}.")
    return dtype


@functools.lru_cache(maxsize=16)
def lacking_operators(device: torch.device, dtype: torch.dtype) -> tuple[str, ...]:
    """What the networks call and the device cannot do, with its reasons; in float32 and in `dtype`. Milliseconds."""
    lacking = []
    for name, shapes, numbers in OPERATORS:
        try:
            for kind in {torch.float32, dtype}:
                call(
                    "tensor_operator", [torch.ones(s, dtype=kind, device=device) for s in shapes], f"op={name}", numbers
                )
        except ResourceError:
            raise
        except RuntimeError as error:
            lacking.append(f"{name} ({first_line(error)})")
    return tuple(lacking)


def failed_device(devices: Sequence[torch.device]) -> tuple[torch.device, str] | None:
    """The first card that does not answer, as one that was taken away or whose driver gave up, and what it says."""
    for device in devices:
        try:
            float(torch.ones(2, device=device).sum())
        except RuntimeError as error:
            if not is_out_of_memory(error):
                return device, first_line(error)
    return None


@contextlib.contextmanager
def device_errors(devices: Sequence[torch.device], free: Callable[[], None]):
    """Raises DeviceError in place of what failed because a card was lost, after free()."""
    try:
        yield
    except (RuntimeError, SonicError) as error:
        lost = None if is_out_of_memory(error) else failed_device([d for d in devices if d.type != "cpu"])
        if lost is None:
            raise
        device, reason = lost
    else:
        return
    with contextlib.suppress(RuntimeError):  # the card that failed has no memory to give back
        free()
    use = f"Leave out the device {device}" if len(devices) > 1 else "Choose the device cpu"
    raise DeviceError(f"{use}, or restart the computer: the graphics card {device} failed during the run ({reason}).")


def check_operators(device: torch.device, dtype: torch.dtype):
    """Raises UsageError where the device lacks operators of the networks."""
    if device.type == "cpu":
        return
    lacking = lacking_operators(device, dtype)
    if lacking:
        lacking_operators.cache_clear()  # a card that failed may be back the next time
        more = f" and {len(lacking) - 1} more operators" if len(lacking) > 1 else ""
        raise UsageError(
            f"Choose the device cpu, or another graphics card: {name_of(device)} cannot run the networks, it lacks "
            f"{lacking[0]}{more}."
        )
