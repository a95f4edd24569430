"""Weight files of every container, from any bytes (sonic_nodes/weights/reader.py): DamagedFile, or tensors that lie
inside the file. Zips of torch.save and its older stream are the inputs that this target is for."""

import io

from sonic_nodes.weights.entries import DamagedFile, TimeLimit
from sonic_nodes.weights.reader import read_table
from tests.fuzz.support.promises import check_damage, check_entries


def check(data: bytes) -> None:
    try:
        found = read_table(io.BytesIO(data), len(data), TimeLimit())
    except DamagedFile as error:
        check_damage(error)
        return
    check_entries(found, len(data))
