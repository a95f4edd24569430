"""Errors for users: the first sentence is the remedy. Each has the exit code of the command `sonic`.

Messages name files, tensors and tags that others wrote. They are escaped here, in the one place that all of them pass,
so they are safe on terminals, in logs and on ComfyUI's page.
"""

import errno
import os

from .printable import printable, printable_lines

# What says that memory or address space ran out where no MemoryError does: libtorch's allocators, C++, the C library's
# ENOMEM in any wrapper, OpenCV's error -4, codecs under Pillow (libImaging/codec_fd.c, libwebp, libavif), the dynamic
# loader, oneDNN, Python's and libtorch's threads (pthread_create: EAGAIN), CUDA with its libraries, Level Zero. The
# text of CUDA's second allocator ends at the number of the device, a zero byte on device 0: "Allocation on device ".
_MEMORY_TEXTS = (
    "out of memory",
    "not enough memory",
    "not fit in memory",
    "no memory",
    "insufficient memory",
    "allocate memory",
    "allocation on device",
    "_alloc_failed",
    "out_of_device_memory",
    "out_of_host_memory",
    "cudacachingallocator",
    "memory allocation",
    "memory error",
    "bad_alloc",
    "bad allocation",
    "failed to allocate",
    "unable to allocate",
    "failed to map segment",
    "cannot map",
    "could not create a primitive",
    "could not create a memory",
    "can't start new thread",
    "thread constructor failed",
    "pthread_create",
    "resource temporarily unavailable",
    "paging file is too small",
    "error code: <1455>",
)
# Of Windows, whose texts are in the user's language: not enough memory, out of memory, no system resources, and the
# paging file that is too small, for which there is no errno
_MEMORY_WINERRORS = (8, 14, 1450, 1455)


WINDOWS = os.name == "nt"


class SonicError(Exception):
    """A problem that the user can solve. The first sentence of the message says how."""

    exit_code = 3
    escaped = staticmethod(printable)

    def __init__(self, message: str = ""):
        super().__init__(self.escaped(message))


class UsageError(SonicError):
    """Options that contradict each other or are out of range."""

    exit_code = 2


class InputError(SonicError):
    """A picture or recording that cannot be used."""

    exit_code = 3


class NoFaceError(InputError):
    """No face was found in the picture."""

    exit_code = 4


class ResourceError(SonicError):
    """Memory or disk space ran out."""

    exit_code = 5


class OutOfMemoryError(ResourceError):
    """Memory ran out during a run that was estimated to fit."""


class DeviceError(SonicError):
    """A graphics card failed during a run."""

    exit_code = 5


class OutputError(SonicError):
    """The result could not be written."""

    exit_code = 6


class InstallError(SonicError):
    """A part of the program is missing or does not load. The message may have several lines."""

    exit_code = 7
    escaped = staticmethod(printable_lines)


def is_address_space_limited() -> bool:
    """Whether this process may map less than the machine could (RLIMIT_AS, `ulimit -v`)."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def says_out_of_memory(text: str) -> bool:
    return any(words in text.lower() for words in _MEMORY_TEXTS)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error, or one that it was raised from or while handling, says that memory, address space or threads
    ran out: by its type, its errno or its text."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, (MemoryError, ResourceError)) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):  # torch's, whatever its text
            return True
        if getattr(error, "winerror", None) in _MEMORY_WINERRORS:
            return True
        # a SonicError's text is ours, and that of an OSError with an errno ends with a file's name
        text = "" if isinstance(error, SonicError) else getattr(error, "strerror", None) or str(error)
        if says_out_of_memory(text):
            return True
        error = error.__cause__ or error.__context__
    return False


def shortage(error: BaseException) -> ResourceError:
    """The ResourceError that stands for an error of which is_out_of_memory is true."""
    if isinstance(error, ResourceError):
        return error
    while not isinstance(error, MemoryError) and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__
    detail = (str(error).strip().splitlines() or [""])[0].rstrip(".")[:200]
    limit = "let Windows manage the size of the paging file" if WINDOWS else "raise the memory limit (ulimit -v)"
    return ResourceError(
        f"Close other programs, choose a smaller input or {limit}: memory ran out"
        + (f" ({detail})." if detail else ".")
    )
