"""Reads a pickled state dict without executing it.

The few opcodes that PyTorch writes for dictionaries of tensors are interpreted on plain values; nothing is imported and
nothing is called. Any other opcode or name is refused, and the error names it. Opcodes and their arguments are those of
pickletools.py in Python's library, whose genops is not used: it would first decode the arguments of opcodes that are
refused here, such as a number of a million digits, and takes three times as long.
"""

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .entries import MAX_TENSORS, DamagedFile, TimeLimit, TimeLimitExceeded

MAX_PICKLE_BYTES = 2_000_000  # the UNet's has 0.3 MB
MAX_OPCODES = 150_000  # the UNet has 45,000, 30 a tensor; an empty list takes one, and 64 bytes of memory
OPCODES_PER_CHECK = 1024

STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
TENSOR = {("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor")}
PARAMETER = ("torch._utils", "_rebuild_parameter")
DICTIONARY = ("collections", "OrderedDict")


@dataclass(frozen=True)
class Name:
    """A global that the pickle refers to."""

    module: str
    attribute: str

    @property
    def pair(self):
        return self.module, self.attribute


@dataclass(frozen=True)
class Storage:
    dtype: torch.dtype
    key: str
    count: int


@dataclass(frozen=True)
class PickledTensor:
    storage: Storage
    offset: int
    shape: object
    strides: object


class ForbiddenName(DamagedFile):
    def __init__(self, name: str):
        super().__init__(f"loading it would execute {name[:120]!r}, which no weight file needs; it was not executed")


class Opcodes:
    """Counts the opcodes of all pickles of one file, which share its limits."""

    def __init__(self, limit: TimeLimit):
        self.limit, self.left = limit, MAX_OPCODES

    def check(self) -> None:
        self.limit.check()
        if self.left <= 0:
            raise DamagedFile(f"its pickle has more than {MAX_OPCODES} opcodes")


class Cursor:
    """A position in the pickle; reads the arguments of opcodes."""

    def __init__(self, data: bytes, at: int):
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        end = self.at + count
        if not self.at <= end <= len(self.data):
            raise DamagedFile("its pickle is truncated")
        found, self.at = self.data[self.at : end], end
        return found

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def signed(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little", signed=True)

    def line(self) -> str:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise DamagedFile("its pickle is truncated")
        found = self.take(end - self.at)
        self.at += 1
        return found.decode("utf-8")


def read_pickle(data: bytes, start: int, opcodes: Opcodes):
    """(value of the pickle at `start`, position behind it). Raises DamagedFile, TimeLimitExceeded."""
    cursor, reader = Cursor(data, start), Reader()
    try:
        while True:
            opcodes.left -= 1
            if opcodes.left % OPCODES_PER_CHECK == 0:
                opcodes.check()
            code = cursor.take(1)
            if code == STOP:
                return reader.stack.pop(), cursor.at
            step = STEPS.get(code)
            if step is None:
                raise DamagedFile(refusal(code))
            argument, action = step
            action(reader, argument(cursor) if argument else None)
    except (DamagedFile, TimeLimitExceeded, MemoryError):
        raise
    except Exception as error:  # invalid bytes lead to many kinds of exceptions in the steps below
        raise DamagedFile(f"its pickle is invalid ({type(error).__name__}: {str(error)[:100]})") from error


def refusal(code: bytes) -> str:
    known = pickletools.code2op.get(code.decode("latin-1"))
    if known is None:
        return f"its pickle is invalid (there is no opcode 0x{code.hex()})"
    return f"its pickle uses the opcode {known.name}, which PyTorch does not write"


class Reader:
    """Pickle's stack machine, limited to the opcodes of state dicts."""

    def __init__(self):
        self.stack, self.marks, self.memo = [], [], {}

    def since_mark(self) -> list:
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def pop(self, count: int) -> list:
        if count > len(self.stack):
            raise DamagedFile("its pickle pops more values than it has")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def put(self, key: int):
        self.memo[key] = self.stack[-1]

    def name(self, module, attribute):
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise DamagedFile("a name in its pickle is not text")
        if not is_allowed(module, attribute):
            raise ForbiddenName(f"{module}.{attribute}")
        self.stack.append(Name(module, attribute))

    def set_items(self, items):
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2 or len(target) + len(items) > 2 * MAX_TENSORS:
            raise DamagedFile("its pickle sets items of a non-dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (str, int)):
                raise DamagedFile("a key in its pickle is not text")
            target[key] = value

    def append(self, items):
        if not isinstance(self.stack[-1], list):
            raise DamagedFile("its pickle appends to a non-list")
        self.stack[-1].extend(items)

    def reduce(self):
        function, arguments = self.pop(2)
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise DamagedFile("its pickle calls a non-function")
        self.stack.append(describe_call(function, arguments))

    def persistent(self, reference):
        if not (
            isinstance(reference, tuple)
            and len(reference) in (5, 6)
            and reference[0] == "storage"
            and isinstance(reference[1], Name)
        ):
            raise DamagedFile("its pickle refers to an unknown kind of data")
        dtype = STORAGE_DTYPES.get(reference[1].attribute)
        _, _, key, _, count, *view = reference
        if dtype is None or not isinstance(key, str) or type(count) is not int or not 0 <= count < 2**48:
            raise DamagedFile("its pickle refers to tensor data of an unknown type")
        if any(view):
            raise DamagedFile("it was saved by a PyTorch before 0.4; load and save it with a newer one")
        self.stack.append(Storage(dtype, key, count))


def is_allowed(module: str, attribute: str) -> bool:
    pair = (module, attribute)
    return (
        pair in TENSOR
        or pair in (PARAMETER, DICTIONARY)
        or (module in ("torch", "torch.storage") and attribute in STORAGE_DTYPES)
    )


def describe_call(function: Name, arguments: tuple):
    """A description of what the call would return."""
    if function.pair == DICTIONARY and arguments in ((), ([],)):
        return {}
    if function.pair in TENSOR and len(arguments) >= 4 and isinstance(arguments[0], Storage):
        return PickledTensor(*arguments[:4])
    if function.pair == PARAMETER and arguments and isinstance(arguments[0], PickledTensor):
        return arguments[0]
    raise DamagedFile(f"its pickle calls {function.module}.{function.attribute} with invalid arguments")


def push(value) -> Callable:
    return lambda r, _: r.stack.append(value)


def push_argument(r: Reader, argument) -> None:
    r.stack.append(argument)


def byte(cursor: Cursor) -> int:
    return cursor.unsigned(1)


def uint32(cursor: Cursor) -> int:
    return cursor.unsigned(4)


def utf8(size: int) -> Callable[[Cursor], str]:
    """Text behind its length in `size` bytes."""
    return lambda cursor: cursor.take(cursor.unsigned(size)).decode("utf-8", "surrogatepass")


STOP = b"."
# {opcode: (reads its argument, None without one; its effect on the stack)}
STEPS: dict[bytes, tuple[Callable | None, Callable]] = {
    # constants and values
    b"N": (None, push(None)),
    b"\x88": (None, push(True)),
    b"\x89": (None, push(False)),
    b")": (None, push(())),
    b"}": (None, lambda r, _: r.stack.append({})),
    b"]": (None, lambda r, _: r.stack.append([])),
    b"K": (byte, push_argument),
    b"M": (lambda c: c.unsigned(2), push_argument),
    b"J": (lambda c: c.signed(4), push_argument),
    b"\x8a": (lambda c: c.signed(c.unsigned(1)), push_argument),  # LONG1
    b"\x8b": (lambda c: c.signed(c.unsigned(4)), push_argument),  # LONG4
    b"G": (lambda c: struct.unpack(">d", c.take(8))[0], push_argument),
    b"\x8c": (utf8(1), push_argument),
    b"X": (utf8(4), push_argument),
    b"\x8d": (utf8(8), push_argument),
    b"U": (lambda c: c.take(c.unsigned(1)).decode("latin-1"), push_argument),  # Python 2's str
    b"T": (lambda c: c.take(c.signed(4)).decode("latin-1"), push_argument),
    # structure
    b"\x80": (byte, lambda r, _: None),  # PROTO
    b"\x95": (lambda c: c.unsigned(8), lambda r, _: None),  # FRAME
    b"0": (None, lambda r, _: r.pop(1)),
    b"(": (None, lambda r, _: r.marks.append(len(r.stack))),
    b"t": (None, lambda r, _: r.stack.append(tuple(r.since_mark()))),
    b"\x85": (None, lambda r, _: r.stack.append(tuple(r.pop(1)))),
    b"\x86": (None, lambda r, _: r.stack.append(tuple(r.pop(2)))),
    b"\x87": (None, lambda r, _: r.stack.append(tuple(r.pop(3)))),
    b"l": (None, lambda r, _: r.stack.append(r.since_mark())),
    b"a": (None, lambda r, _: r.append(r.pop(1))),
    b"e": (None, lambda r, _: r.append(r.since_mark())),
    b"s": (None, lambda r, _: r.set_items(r.pop(2))),
    b"u": (None, lambda r, _: r.set_items(r.since_mark())),
    # memo
    b"q": (byte, lambda r, key: r.put(key)),
    b"r": (uint32, lambda r, key: r.put(key)),
    b"\x94": (None, lambda r, _: r.put(len(r.memo))),  # MEMOIZE
    b"h": (byte, lambda r, key: r.stack.append(r.memo[key])),
    b"j": (uint32, lambda r, key: r.stack.append(r.memo[key])),
    # what the pickle would execute, described instead
    b"c": (lambda c: (c.line(), c.line()), lambda r, pair: r.name(*pair)),
    b"\x93": (None, lambda r, _: r.name(*r.pop(2))),  # STACK_GLOBAL
    b"R": (None, lambda r, _: r.reduce()),
    b"b": (None, lambda r, _: r.pop(1)),  # BUILD: the metadata that torch.nn.Module.state_dict attaches
    b"Q": (None, lambda r, _: r.persistent(*r.pop(1))),  # BINPERSID
}
