"""The reader of safetensors headers (sonic_nodes/weights/safetensors_header.py): DamagedFile, or tensors inside the
file, apart from one another; the same ones as the safetensors library finds where that reads the file too.

The first byte of an input chooses: "L", the rest is a whole file; else the rest is the header's text, and the length
before it and 64 bytes of data behind it are right.
"""

import io
import struct

from safetensors import SafetensorError, deserialize

from sonic_nodes.weights.entries import DamagedFile, TimeLimit
from sonic_nodes.weights.safetensors_header import read_table
from tests.fuzz.support.promises import check_apart, check_damage, check_entries

DATA = bytes(64)


def check(data: bytes) -> None:
    file = data[1:] if data[:1] == b"L" else struct.pack("<Q", len(data[1:])) + data[1:] + DATA
    if len(file) < 8:
        return
    try:
        found = read_table(io.BytesIO(file), len(file), TimeLimit())
    except DamagedFile as error:
        check_damage(error)
        return
    check_entries(found, len(file))
    check_apart(found)
    try:
        expected = deserialize(file)
    except (SafetensorError, ValueError):
        return
    assert {name: tuple(value["shape"]) for name, value in expected} == {name: e.shape for name, e in found.items()}
    assert all(file[found[name].offset :][: len(value["data"])] == bytes(value["data"]) for name, value in expected)
