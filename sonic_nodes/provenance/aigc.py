"""The AIGC fields of GB 45438-2025, annex E: Label, ContentProducer, ProduceID, ReservedCode1, ContentPropagator,
PropagateID, ReservedCode2.

The names, their order, Label's values (1 is generated, 2 may be, 3 is suspected to be) and the characters of values
(0x21 to 0x7E) were read in secondary sources, which docs/provenance.md lists. What a studio has not set is left out: a
code names a registered company.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping

from ..errors import UsageError
from ..media.provenance import AIGC_TAG
from .limits import FIELDS, SETTABLE

ASKED_FOR = ("ContentProducer", "ProduceID", "ContentPropagator", "PropagateID")
IS_GENERATED = "1"
CHARACTERS = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # without those that JSON escapes
MAX_CHARS = 256  # of a value
MAX_JSON_CHARS = 1 << 16  # that are read
SOURCE = "$SONIC_AIGC"


def fields_of(pairs: Iterable[str] = (), environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """{field: value} of "FIELD=VALUE" texts; those of $SONIC_AIGC, separated by spaces, where none is given. UsageError
    for other names, and for values that cannot be stored as they are."""
    found = dict(_field(pair, SOURCE) for pair in environ.get("SONIC_AIGC", "").split())
    return found | dict(_field(pair, "--aigc") for pair in pairs)


def _field(pair: str, source: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if name not in SETTABLE or not equals:
        raise UsageError(f"Write {source} as FIELD=VALUE, with one of {', '.join(SETTABLE)}: it is {pair[:80]!r}.")
    value = value.strip()
    if not 1 <= len(value) <= MAX_CHARS:
        raise UsageError(f"Give {name} 1 to {MAX_CHARS} characters: it has {len(value)}.")
    if not CHARACTERS.fullmatch(value):
        raise UsageError(
            f"Write {name} as a code of ASCII letters, digits and signs, without spaces, quotes and backslashes: it is "
            f"{value[:80]!r}."
        )
    return name, value


def tag_of(fields: Mapping[str, str], produce_id: str) -> dict[str, str]:
    """{"AIGC": JSON} for the tags of a video that is generated. produce_id: where `fields` have none."""
    every = {"Label": IS_GENERATED, "ProduceID": produce_id} | fields
    ordered = {name: every[name] for name in FIELDS if name in every}
    return {AIGC_TAG: json.dumps(ordered, separators=(",", ":"))}


def parsed(text: object) -> dict[str, str] | None:
    """The fields in a JSON text that others wrote, bare or below "AIGC"; None where it holds none of them."""
    if not isinstance(text, str) or len(text) > MAX_JSON_CHARS:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    inner = value.get(AIGC_TAG, value) if isinstance(value, dict) else None
    if not isinstance(inner, dict):
        return None
    return {name: str(inner[name])[:MAX_JSON_CHARS] for name in FIELDS if name in inner} or None
