"""Errors of the networks, translated into those that users read."""

import contextlib
from collections.abc import Callable

import torch

from ..errors import InputError, OutOfMemoryError, ResourceError, is_out_of_memory, says_out_of_memory

OUT_OF_MEMORY = "memory ran out while"


@contextlib.contextmanager
def user_errors(stage: str):
    """Translates an operator's RuntimeError into OutOfMemoryError or InputError. `stage`: a phrase for the message,
    such as "decoding frames"."""
    try:
        yield
    except (ResourceError, torch.OutOfMemoryError, MemoryError) as error:
        if OUT_OF_MEMORY in str(error):  # an inner stage has translated it already
            raise
        raise out_of_memory(stage, str(error).split("\n")[0]) from None
    except RuntimeError as error:
        if type(error) is not RuntimeError:  # the device's (torch.AcceleratorError), or of the progress callback
            if isinstance(error, torch.AcceleratorError) and is_out_of_memory(error):
                raise out_of_memory(stage, str(error).split("\n")[0]) from None
            raise
        text = str(error).split("\nException raised from")[0].strip()
        raise (
            out_of_memory(stage, text) if says_out_of_memory(text) else InputError(f"{text.rstrip('.')} ({stage}).")
        ) from None


def out_of_memory(stage: str, detail: str) -> OutOfMemoryError:
    reason = detail.rstrip(".")
    return OutOfMemoryError(
        f"Close other programs, choose a lower min_resolution or fp16: {OUT_OF_MEMORY} {stage} ({reason})."
    )


def require_finite(result: torch.Tensor, stage: str, run_checked: Callable[[], object]) -> torch.Tensor:
    """`result`; InputError when it holds NaN or infinity. run_checked() repeats the call with check_finite, which names
    the layer."""
    if not bool(torch.isfinite(result).all()):
        run_checked()
        raise InputError(f"Use fp32, or another weight file: the result is not finite ({stage}).")
    return result
