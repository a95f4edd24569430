"""What went wrong inside a network, as the errors that users read."""

import contextlib
from collections.abc import Callable

import torch

from ..errors import InputError, OutOfMemoryError, ResourceError

WHILE = "memory ran out while"


@contextlib.contextmanager
def explained(stage: str):
    """RuntimeError of an operator as OutOfMemoryError or InputError; `stage` says where, as in "decoding frames"."""
    try:
        yield
    except (ResourceError, torch.OutOfMemoryError, MemoryError) as error:
        if WHILE in str(error):  # said by a stage inside this one
            raise
        raise out_of_memory(stage, str(error).split("\n")[0]) from None
    except RuntimeError as error:
        if type(error) is not RuntimeError:  # not an operator's: what the caller's own progress raised
            raise
        text = str(error).split("\nException raised from")[0].strip()
        raise (
            out_of_memory(stage, text) if is_memory(text) else InputError(f"{text.rstrip('.')} ({stage}).")
        ) from None


def is_memory(text: str) -> bool:
    """PyTorch's words for the graphics card and for system memory: libtorch before 2.13 has no code for it."""
    return any(words in text.lower() for words in ("out of memory", "not enough memory", "can't allocate memory"))


def out_of_memory(stage: str, detail: str) -> OutOfMemoryError:
    why = detail.rstrip(".")
    return OutOfMemoryError(f"Close other programs, choose a lower min_resolution or fp16: {WHILE} {stage} ({why}).")


def finite(result: torch.Tensor, stage: str, again: Callable[[], object]) -> torch.Tensor:
    """`result`, or InputError when it holds NaN or infinity. again() repeats the work with check_finite, which names
    the layer."""
    if not bool(torch.isfinite(result).all()):
        again()
        raise InputError(f"Use fp32, or another weight file: the result is not finite ({stage}).")
    return result
