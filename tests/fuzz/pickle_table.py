"""The reader of pickled state dicts, from any bytes (sonic_nodes/weights/pickle_table.py): DamagedFile, or plain values
whose tensors have valid numbers."""

from sonic_nodes.weights.entries import DamagedFile, TimeLimit
from sonic_nodes.weights.pickle_table import Name, Opcodes, read_pickle
from sonic_nodes.weights.torch_container import entries
from tests.fuzz.support.promises import check_damage, check_entries

PLAIN = (dict, list, tuple, str, int, float, bool, type(None), Name)


def check(data: bytes) -> None:
    try:
        value, end = read_pickle(data, 0, Opcodes(TimeLimit()))
    except DamagedFile as error:
        check_damage(error)
        return
    assert 0 < end <= len(data) and data[end - 1 : end] == b"."
    assert isinstance(value, PLAIN) or type(value).__module__ == Name.__module__
    try:
        found = entries(value, lambda storage: 64, TimeLimit())
    except DamagedFile:
        return
    check_entries(found, 2**60)
