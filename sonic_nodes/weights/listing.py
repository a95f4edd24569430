"""One list of the model's files for command and page: state, name, size, place and source of each."""

from collections.abc import Sequence

from ..errors import InputError, is_out_of_memory, shortage
from .catalogue import Catalogue
from .check import match_names
from .files import Found, advice, size_text
from .reader import open_weights

SHOWN = 400  # characters of a reason


def lines(found: Sequence[Found], catalogue: Catalogue) -> list[str]:
    return [line(item, catalogue) for item in found]


def line(item: Found, catalogue: Catalogue) -> str:
    return ": ".join(state(item, catalogue))


def state(item: Found, catalogue: Catalogue) -> tuple[str, str]:
    """ok with the path and size, missing with what to put where, or unusable with the reason."""
    if item.path is None:
        return "missing", advice(item.file.key)
    if catalogue.networks(item.path).issuperset(item.file.networks):
        return "ok", f"{item.file.name}, {size_text(item.path.stat().st_size)}, {item.path}"
    return "unusable", why_unusable(item)[:SHOWN]


def why_unusable(item: Found) -> str:
    try:
        file = open_weights(item.path)
        for network in item.file.networks:
            match_names(network, file)
    except InputError as error:
        if is_out_of_memory(error):
            raise shortage(error) from None
        return str(error)
    return f"{advice(item.file.key)} {item.path} holds another network."


def headline(found: Sequence[Found]) -> str:
    missing = [item for item in found if item.path is None]
    if not missing:
        return f"All {len(found)} files of the Sonic model are there."
    total = size_text(sum(item.file.bytes for item in missing))
    return (
        f"{len(found) - len(missing)} of {len(found)} files of the Sonic model are there. `sonic models get` downloads "
        f"the others, {total}."
    )
