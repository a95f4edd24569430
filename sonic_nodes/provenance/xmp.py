"""Reads an XMP packet that others wrote. Nothing in it is expanded: a packet that declares a document type, and with it
entities, is refused, and so is one that is long or deep (billion laughs, quadratic blowup: OWASP, "XML External
Entity")."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from ..media.provenance import AIGC_NAMESPACE, MAX_PACKET_BYTES
from .aigc import parsed
from .limits import FIELDS

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
WANTED = {(IPTC, "DigitalSourceType"), (XMP, "CreatorTool"), (AIGC_NAMESPACE, "AIGC")} | {
    (AIGC_NAMESPACE, name) for name in FIELDS
}
MAX_VALUE_CHARS = 1 << 16
MAX_DEPTH, MAX_ELEMENTS, MAX_ATTRIBUTES = 64, 20_000, 200
SEPARATOR = "\x1f"  # in no name of XML


class RefusedPacket(ValueError):
    """The text says why."""


@dataclass
class _State:
    values: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    path: list[tuple[str, str]] = field(default_factory=list)
    elements: int = 0


def read(packet: bytes) -> dict:
    """{"digital_source_type", "creator_tool", "aigc"}: text, or None where the packet has none; aigc: {field: value}.
    RefusedPacket."""
    if len(packet) > MAX_PACKET_BYTES:
        raise RefusedPacket(f"it is longer than {MAX_PACKET_BYTES >> 20} MB")
    state = _State()
    try:
        _parser(state).Parse(packet.rstrip(b"\0"), True)
    except expat.ExpatError as error:
        raise RefusedPacket(f"it is not XML ({error})") from None
    values = {name: "".join(parts)[:MAX_VALUE_CHARS].strip() for name, parts in state.values.items()}
    single = {name: values[AIGC_NAMESPACE, name] for name in FIELDS if (AIGC_NAMESPACE, name) in values}
    return {
        "digital_source_type": values.get((IPTC, "DigitalSourceType")),
        "creator_tool": values.get((XMP, "CreatorTool")),
        "aigc": parsed(values.get((AIGC_NAMESPACE, "AIGC"))) or single or None,
    }


def _parser(state: _State):
    parser = expat.ParserCreate(namespace_separator=SEPARATOR)
    parser.buffer_text = True

    def name_of(name: str) -> tuple[str, str]:
        space, _, local = name.rpartition(SEPARATOR)
        return space, local

    def begin(name: str, attributes: dict) -> None:
        state.elements += 1
        if state.elements > MAX_ELEMENTS or len(state.path) >= MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise RefusedPacket("it has too many parts")
        state.path.append(name_of(name))
        for key, value in attributes.items():  # the short form of XMP: properties as attributes
            if name_of(key) in WANTED:
                state.values.setdefault(name_of(key), [value])

    def end(name: str) -> None:
        state.path.pop()

    def text(content: str) -> None:
        for name in state.path[-3:]:  # the value of a list is two levels below: rdf:Bag, rdf:li
            if name in WANTED:
                state.values.setdefault(name, []).append(content)

    def refuse(*_) -> None:
        raise RefusedPacket("it declares a document type")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    return parser
