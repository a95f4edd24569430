"""Whether a tensor of another node holds numbers that can be read. Imports torch, not ComfyUI."""

import math

import torch

from ..errors import InputError

MAX_EXPANDED_BYTES = 64 << 30  # of a tensor that repeats its memory: 13 minutes of 512 x 512 at 25 frames a second


def check_tensor(name: str, value, wanted: str) -> torch.Tensor:
    """The tensor itself, or a plain view of an object of a subclass. InputError, which names the input `name` and what
    is `wanted` there ("a colour image"), for anything whose values cannot be read: no tensor, one without memory of
    its own (meta, fake, freed, one value expanded to terabytes), sparse, quantized, nested or complex."""
    try:
        plain, problem = value, why_unreadable(value)
        if problem is None and type(value) is not torch.Tensor:
            plain = value.detach().as_subclass(torch.Tensor)
    except Exception:  # an object may answer any question with an error of its own
        plain, problem = value, f"the values of its {type(value).__name__} cannot be read"
    if problem:
        raise InputError(f"Connect {wanted} to {name}: {problem}.")
    return plain


def why_unreadable(value) -> str | None:
    """The reason, as a clause for the user; None when the values can be read."""
    if value is None:
        return "its link brings no value"
    if not isinstance(value, torch.Tensor):
        return f"{type(value).__name__} was given"
    if type(value).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__ or is_functorch_wrapper(value):
        return f"the values of its {type(value).__name__} cannot be read"
    if value.device.type == "meta":
        return "its tensor has a size but no values (device meta)"
    if value.layout != torch.strided or value.is_nested or value.is_quantized or value.is_complex():
        return f"its tensor is {kind_of(value)}, not an ordinary one"
    if is_beyond_storage(value):
        return "its memory was freed"
    if value.numel() * value.element_size() > max(MAX_EXPANDED_BYTES, value.untyped_storage().nbytes()):
        return f"its tensor {list(value.shape)} repeats a small one without end"
    return why_not_numbers(value)


def is_functorch_wrapper(value: torch.Tensor) -> bool:
    """Whether a function of torch.func made the tensor, whose values are those of another one."""
    functorch = getattr(torch._C, "_functorch", None)
    return functorch is not None and functorch.is_functorch_wrapped_tensor(value)


def kind_of(value: torch.Tensor) -> str:
    if value.is_nested:
        return "nested"
    if value.is_quantized:
        return "quantized"
    return "complex" if value.is_complex() else str(value.layout).removeprefix("torch.").removeprefix("_")


def is_beyond_storage(value: torch.Tensor) -> bool:
    """Whether an element lies outside the memory that is held: reading it would end the process."""
    if value.numel() == 0:
        return False
    last = value.storage_offset() + sum(
        (size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True)
    )
    return (last + 1) * value.element_size() > value.untyped_storage().nbytes()


def why_not_numbers(value: torch.Tensor) -> str | None:
    """Tries the conversion on one element: formats of less than a byte have no conversion."""
    first = value.detach()[(slice(0, 1),) * value.ndim]
    try:
        number = first.to("cpu", torch.float32).resolve_neg().numpy()
    except (RuntimeError, NotImplementedError, TypeError):
        return f"numbers of the type {str(value.dtype).removeprefix('torch.')} cannot be read"
    if number.size != min(1, math.prod(first.shape)):
        return f"the values of its {type(value).__name__} cannot be read"
    return None
