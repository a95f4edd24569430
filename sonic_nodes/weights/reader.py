"""Opens a weight file of any format, detected by content: its header is read at once, its tensors on demand."""

import functools
import os
from pathlib import Path

import torch

from ..errors import InputError
from ..media.file_names import system_path
from ..media.files import open_regular
from . import safetensors_header, torch_container
from .entries import DamagedFile, Entry, TimeLimit

ZIP, PICKLE = b"PK\x03\x04", (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


class WeightFile:
    """`entries`: {name: Entry}. Tensors are views of the mapped file: the system reads pages on first access and can
    drop them again. modified_ns: of the file whose header was read; None: not compared."""

    def __init__(self, path, entries: dict[str, Entry], size: int, modified_ns: int | None = None):
        self.path, self.entries, self.size, self.modified_ns = Path(path), entries, size, modified_ns

    @functools.cached_property
    def _bytes(self) -> torch.UntypedStorage:
        try:
            if self.modified_ns not in (None, _modified_ns(self.path)):
                raise InputError(f"Leave {self.path} in place while it is in use, and run again: it was replaced.")
            return torch.UntypedStorage.from_file(system_path(self.path), False, self.size)
        except UnicodeError as error:
            raise InputError(
                f"Rename {self.path} and its folders to names in UTF-8: PyTorch cannot map a file under this one."
            ) from error
        except (OSError, RuntimeError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0][:200]
            raise InputError(
                f"Leave {self.path} in place while it is in use: it cannot be mapped ({reason})."
            ) from error

    def unmap(self) -> None:
        """The file stays mapped for as long as views of it exist, and no longer. On Windows a mapped file cannot be
        replaced or deleted. The next tensor() maps it again."""
        vars(self).pop("_bytes", None)

    def tensor(self, name: str) -> torch.Tensor:
        """A view of the mapped file; a copy where the tensor is not aligned to its dtype or not contiguous."""
        entry = self.entries[name]
        if not isinstance(entry.dtype, torch.dtype):
            raise InputError(
                f"Convert {self.path.name} to fp16, bf16 or fp32: its {name!r} has the type {entry.dtype}."
            )
        strides = entry.strides or torch.empty(entry.shape, device="meta").stride()
        if entry.count == 0:
            return torch.empty(entry.shape, dtype=entry.dtype)
        start, last = entry.offset, sum((n - 1) * step for n, step in zip(entry.shape, strides, strict=True))
        storage = self._bytes
        if start % entry.dtype.itemsize:
            storage, start = storage[start : start + (last + 1) * entry.dtype.itemsize].clone(), 0
        mapped = torch.empty(0, dtype=entry.dtype).set_(storage, start // entry.dtype.itemsize, entry.shape, strides)
        return mapped if mapped.is_contiguous() else mapped.contiguous()


def open_weights(path, limit: TimeLimit | None = None) -> WeightFile:
    """Reads the header of the file at `path`. Nothing in the file is executed. Raises InputError, and
    TimeLimitExceeded with a limit."""
    path = Path(path)
    try:
        with open_regular(path) as stream:
            size, modified_ns = os.fstat(stream.fileno()).st_size, _modified_ns(path)
            return WeightFile(path, read_table(stream, size, limit or TimeLimit()), size, modified_ns)
    except DamagedFile as error:
        raise InputError(
            f"Download {path.name} again from its source: {path} is not a valid weight file: {error.damage}."
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"Put the weight file at {path}, or choose another: the file does not exist.") from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"Choose a readable weight file: {path} is not readable ({getattr(error, 'strerror', None) or error})."
        ) from error


def _modified_ns(path: Path) -> int:
    return os.stat(system_path(path)).st_mtime_ns


def read_table(stream, size: int, limit: TimeLimit) -> dict[str, Entry]:
    if size < 16:
        raise DamagedFile("it is empty" if size == 0 else f"it has only {size} bytes")
    start = stream.read(64)
    stream.seek(0)
    if start.startswith(ZIP):
        return torch_container.read_zip(stream, size, limit)
    if start.startswith(PICKLE):
        return torch_container.read_legacy(stream, size, limit)
    if start[8:9] == b"{":
        return safetensors_header.read_table(stream, size, limit)
    raise DamagedFile(describe_other(start))


def describe_other(start: bytes) -> str:
    """What the file is instead of a weight file, by its first bytes."""
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<head")):
        return "it is a web page; use the download button or `hf download`"
    if text.startswith(b"version https://git-lfs"):
        return "it is a git-lfs pointer; run `git lfs pull` where it came from"
    if start.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        return "it is an archive; extract it first"
    return "it is in none of the supported formats (.safetensors, .pth, .pt, .pkl)"
