"""Which errors say that memory ran out: each library has its own."""

import errno
import subprocess
import sys

import av
import pytest
import torch

from sonic_nodes.errors import InputError, InstallError, ResourceError, is_out_of_memory, shortage
from tests.oracles.system import is_wine


def real_errors():
    """Raised by the libraries themselves, asked for more than any machine has."""
    import mmap

    import cv2
    import numpy as np

    attempts = [
        lambda: np.empty(1 << 60, np.uint8),
        allocate_by_torch,
        lambda: bytearray(1 << 62),
        lambda: av.error.err_check(-errno.ENOMEM),
        lambda: cv2.error and (_ for _ in ()).throw(cv2.error("OpenCV: error: (-4:Insufficient memory) Failed")),
    ]
    if not is_wine():  # Wine 8 begins to make such a section, and the process never recovers
        attempts.append(lambda: mmap.mmap(-1, 1 << 60))
    for attempt in attempts:
        try:
            attempt()
        except Exception as error:
            yield error


def allocate_by_torch():
    """Under Wine 8 in another process, which ends at its next exception: libtorch writes down where this one was."""
    if not is_wine():
        return torch.empty(1 << 60, dtype=torch.uint8)
    script = "import torch\ntry:\n    torch.empty(1 << 60)\nexcept RuntimeError as error:\n    print(error, flush=True)"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    raise RuntimeError(done.stdout)


def test_errors_that_libraries_raise():
    found = list(real_errors())
    assert len(found) == (5 if is_wine() else 6)
    for error in found:
        assert is_out_of_memory(error), repr(error)
        assert str(shortage(error)).startswith("Close other programs"), error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
        OSError("out of memory when reading image file"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(errno.ENOMEM, "Cannot allocate memory", "picture.png"),
        RuntimeError("conv2d on [1,3,193,193] failed: could not create a primitive"),
        torch.OutOfMemoryError("CUDA out of memory."),
        torch.OutOfMemoryError("Allocation on device "),
        torch.OutOfMemoryError(),
        RuntimeError("linear on [2,3] [4,3] failed: Allocation on device 1 would exceed allowed memory."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"),
        torch.AcceleratorError("CUDA error: out of memory"),
    ],
)
def test_errors_that_need_luck_to_be_raised(error):
    assert is_out_of_memory(error)
    assert shortage(error).exit_code == 5


def test_an_error_in_place_of_another():
    for kind in (InputError, InstallError):
        try:
            try:
                raise MemoryError
            except MemoryError:
                raise kind("Save the picture again: it is damaged.") from None
        except kind as error:
            assert is_out_of_memory(error) and isinstance(shortage(error), ResourceError)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad value"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "out of memory.png"),
        InputError("Choose a picture: 'out of memory' is none."),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("broken data stream when reading image file"),
    ],
)
def test_other_errors(error):
    assert not is_out_of_memory(error)
