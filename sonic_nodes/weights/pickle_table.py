"""Reads a pickled state dict without executing it.

pickletools splits the pickle into opcodes. The few that PyTorch writes for dictionaries of tensors are interpreted on
plain values; nothing is imported and nothing is called. Any other opcode or name is refused, and the error names it.
"""

import io
import pickletools
from dataclasses import dataclass

import torch

from .entries import MAX_TENSORS, DamagedFile

MAX_PICKLE_BYTES = 4_000_000  # the UNet's has 0.3 MB

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


def read_pickle(data: bytes, start: int = 0):
    """(value of the pickle at `start`, position behind it). Raises DamagedFile."""
    stream = io.BytesIO(data)
    stream.seek(start)
    reader = Reader()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            reader.follow(opcode.name, argument)
        return reader.stack.pop(), stream.tell()
    except DamagedFile:
        raise
    except Exception as error:  # genops and the values below raise many kinds of exceptions on invalid bytes
        raise DamagedFile(f"its pickle is invalid ({type(error).__name__}: {str(error)[:100]})") from error


class Reader:
    """Pickle's stack machine, limited to the opcodes of state dicts."""

    def __init__(self):
        self.stack, self.marks, self.memo = [], [], {}

    def follow(self, name: str, argument):
        if name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in VALUES:
            self.stack.append(argument)
        else:
            step = STEPS.get(name)
            if step is None:
                raise DamagedFile(f"its pickle uses the opcode {name}, which PyTorch does not write")
            step(self, argument)

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

    def put(self, argument):
        self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]

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


CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
VALUES = {
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "UNICODE",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
}
STEPS = {
    "PROTO": lambda r, _: None,
    "FRAME": lambda r, _: None,
    "STOP": lambda r, _: None,
    "POP": lambda r, _: r.pop(1),
    "MARK": lambda r, _: r.marks.append(len(r.stack)),
    "EMPTY_DICT": lambda r, _: r.stack.append({}),
    "EMPTY_LIST": lambda r, _: r.stack.append([]),
    "TUPLE": lambda r, _: r.stack.append(tuple(r.since_mark())),
    "TUPLE1": lambda r, _: r.stack.append(tuple(r.pop(1))),
    "TUPLE2": lambda r, _: r.stack.append(tuple(r.pop(2))),
    "TUPLE3": lambda r, _: r.stack.append(tuple(r.pop(3))),
    "LIST": lambda r, _: r.stack.append(r.since_mark()),
    "APPEND": lambda r, _: r.append(r.pop(1)),
    "APPENDS": lambda r, _: r.append(r.since_mark()),
    "SETITEM": lambda r, _: r.set_items(r.pop(2)),
    "SETITEMS": lambda r, _: r.set_items(r.since_mark()),
    "PUT": lambda r, key: r.put(key),
    "BINPUT": lambda r, key: r.put(key),
    "LONG_BINPUT": lambda r, key: r.put(key),
    "MEMOIZE": lambda r, _: r.put(None),
    "GET": lambda r, key: r.stack.append(r.memo[key]),
    "BINGET": lambda r, key: r.stack.append(r.memo[key]),
    "LONG_BINGET": lambda r, key: r.stack.append(r.memo[key]),
    "GLOBAL": lambda r, pair: r.name(*pair.split(" ", 1)),
    "STACK_GLOBAL": lambda r, _: r.name(*r.pop(2)),
    "REDUCE": lambda r, _: r.reduce(),
    "BUILD": lambda r, _: r.pop(1),  # the metadata that torch.nn.Module.state_dict attaches
    "BINPERSID": lambda r, _: r.persistent(*r.pop(1)),
}
