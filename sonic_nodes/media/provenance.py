"""The label in every finished video: AI-generated, by which engine, version and seed. Always written.

It is in two places, for different readers:
- MP4 tags (title, comment, description, encoding tool, AIGC). The comment is JSON, for programs.
- an XMP packet with `Iptc4xmpExt:DigitalSourceType`, where platforms look for generated media (IPTC Video Metadata
  Hub), and `TC260:AIGC`; in MP4 a top-level `uuid` box (XMP Specification Part 3, ISO 16684, "Storage in files",
  MPEG-4).

The terms come from IPTC's Digital Source Type vocabulary, https://cv.iptc.org/newscodes/digitalsourcetype/:
- draft: `compositeSynthetic`, a composite with at least one synthetic element. The photograph and the voice are
  recorded, the movement and the inside of the mouth are computed; no generative model takes part.
- sonic: `trainedAlgorithmicMedia`, created by a model derived from sampled content: the diffusion model makes every
  frame.
- sonic, pasted back into the portrait: `compositeWithTrainedAlgorithmicMedia`, a composite that such media are part of.

The tag AIGC is that of GB 45438-2025; sonic_nodes/provenance/aigc.py makes it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

import av

from .. import __version__
from ..errors import InputError
from . import boxes
from .tags import ANY_ENCODING

SOFTWARE = "sonic-talking-portrait"
SOURCE_TYPES = {"draft": "compositeSynthetic", "sonic": "trainedAlgorithmicMedia"}
PASTED_TYPES = {"trainedAlgorithmicMedia": "compositeWithTrainedAlgorithmicMedia"}
IPTC_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA Technical Specification, "Embedding in BMFF"
MAX_PACKET_BYTES = 1 << 20
MAX_RECORD_CHARS = 1 << 20  # of the comment, as JSON: more than eight consents of which each character is escaped
AIGC_TAG = "AIGC"
AIGC_NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"

_IPTC_NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{namespace}" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/">
   <Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
   <xmp:CreatorTool>{tool}</xmp:CreatorTool>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>{aigc}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


_AIGC = """
   <TC260:AIGC xmlns:TC260="{namespace}">{fields}</TC260:AIGC>"""


def metadata(
    engine: str, seed: int | None, version: str = __version__, pasted: bool = False, **details
) -> dict[str, str]:
    """MP4 tags for VideoWriter. `engine` is "draft" or "sonic"; pasted: its frames are a part of the picture;
    `details` (JSON values) are kept in the comment."""
    term = SOURCE_TYPES[engine]
    source = IPTC_TERMS + (PASTED_TYPES.get(term, term) if pasted else term)
    record = {"ai_generated": True, "engine": engine, "software": SOFTWARE, "version": version, "seed": seed}
    record |= {"digital_source_type": source} | details
    return {
        "title": "AI-generated talking portrait",
        "comment": json.dumps(record, ensure_ascii=False),
        "description": "This video is AI-generated: a portrait was animated from a recording of speech by "
        f"{SOFTWARE} {version}, engine {engine}, seed {seed}.",
        "encoding_tool": f"{SOFTWARE} {version}",
    }


def record_of(tags: dict[str, str]) -> dict | None:
    """The JSON in the comment that `metadata` made; None for the tags of others."""
    comment = tags.get("comment", "")
    if len(comment) > MAX_RECORD_CHARS:
        return None
    try:
        record = json.loads(comment)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("ai_generated") is True else None


def with_record(tags: dict[str, str], **changes) -> dict[str, str]:
    """Tags of `metadata` with entries of their record added or replaced; the tags of others are returned unchanged."""
    record = record_of(tags)
    return tags if record is None else tags | {"comment": json.dumps(record | changes, ensure_ascii=False)}


def consents_in(record: Mapping | None) -> list:
    """The entries of a record, each a dict, as provenance/consent.py makes them; not checked further."""
    found = (record or {}).get("consent")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def as_pasted(tags: dict[str, str]) -> dict[str, str]:
    """The tags of a clip whose frames were pasted into a picture."""
    source = (record_of(tags) or {}).get("digital_source_type")
    term = PASTED_TYPES.get(source.removeprefix(IPTC_TERMS)) if isinstance(source, str) else None
    return with_record(tags, digital_source_type=IPTC_TERMS + term) if term else tags


def layered(upper: dict[str, str], lower: dict[str, str]) -> dict[str, str]:
    """The tags of a clip whose frames were pasted into another one's, `lower`. The label of one of the two stays, where
    both have one the upper clip's; the consents of both do."""
    upper, lower = as_pasted(upper), as_pasted(lower)
    above, below = record_of(upper), record_of(lower)
    if not above:
        return upper | lower if below else lower | upper
    below = below or {}
    changes, source = {}, below.get("digital_source_type")
    if source in [IPTC_TERMS + term for term in PASTED_TYPES.values()]:
        changes["digital_source_type"] = source
    if consents := consents_in(below):
        own = consents_in(above)
        changes["consent"] = own + [consent for consent in consents if consent not in own]
    return lower | with_record(upper, **changes)


def xmp_box(tags: dict[str, str], packet: bytes = b"") -> bytes:
    """The MP4 box with the XMP packet for `tags`, or with `packet`, the one of the file that they come from; empty when
    there is no packet and `tags` are not from `metadata`."""
    packet = packet or _packet(tags)
    return boxes.box(b"uuid", XMP_UUID + packet) if packet else b""


def _packet(tags: dict[str, str]) -> bytes:
    source = (record_of(tags) or {}).get("digital_source_type")
    if not isinstance(source, str):
        return b""
    fields = tags.get(AIGC_TAG)
    packet = _XMP.format(
        namespace=_IPTC_NAMESPACE,
        source=escape(source),
        tool=escape(tags.get("encoding_tool", SOFTWARE)),
        description=escape(tags.get("description", "")),
        aigc=_AIGC.format(namespace=AIGC_NAMESPACE, fields=escape(fields)) if fields else "",
    )
    return packet.encode(errors="replace")


def read_back(path: str | os.PathLike) -> dict:
    """The arguments of `metadata`, plus `tags` (as stored) and `xmp_digital_source_type`. InputError for other
    files."""
    name = repr(os.path.basename(os.fspath(path)))
    try:
        with open(path, "rb") as file:
            boxes.check_metadata(file, name)
            with av.open(file, mode="r", **ANY_ENCODING) as container:
                is_webm = "webm" in container.format.name  # its tags are in capitals, and it has no XMP
                tags = {_tag_name(key) if is_webm else key: value for key, value in container.metadata.items()}
                xmp = None if is_webm else _xmp_source(file)
    except OSError as error:
        raise InputError(f"Choose a video that was made by this program: {name} cannot be read ({error}).") from None
    except (av.error.FFmpegError, ValueError):
        raise InputError(f"Choose a video that was made by this program: {name} has no label of it.") from None
    record = record_of(tags)
    if record is None:
        raise InputError(f"Choose a video that was made by this program: {name} has no label of it.")
    return record | {"tags": tags, "xmp_digital_source_type": xmp}


def _tag_name(name: str) -> str:
    return name if name == AIGC_TAG else name.lower()


def movflags_for(tags: Mapping[str, str], any_tag: bool = False) -> str:
    """FFmpeg's option for an MP4 with these tags. any_tag: MP4 keeps those of any name, as QuickTime's metadata keys,
    as it does where AIGC is among them; else those of iTunes' list alone."""
    is_marked = any(name.upper() == AIGC_TAG for name in tags.keys())
    return "+faststart+use_metadata_tags" if any_tag or is_marked else "+faststart"


def packet_of(file) -> bytes:
    """The XMP packet of an open file of any format; empty where there is none that can be carried to a copy."""
    try:
        return xmp_packet(file)
    except InputError:
        return b""


def xmp_packet(file) -> bytes:
    """The XMP packet of an open MP4; empty where there is none, or one of more than MAX_PACKET_BYTES. InputError for
    other files."""
    for payload, size in _of_uuid(file, XMP_UUID):
        if size <= MAX_PACKET_BYTES:
            file.seek(payload)
            return file.read(size)
    return b""


def manifest_bytes(file) -> int:
    """The size of the C2PA manifests in an open file: 0 where it is not signed, or no MP4. Whether they are valid is
    another question."""
    try:
        return sum(size for _, size in _of_uuid(file, C2PA_UUID))
    except InputError:
        return 0


def _of_uuid(file, uuid: bytes):
    """(offset, bytes) of the content of each box of this uuid."""
    for kind, payload, size in boxes.walk(file):
        if kind == b"uuid" and size > len(uuid):
            file.seek(payload)
            if file.read(len(uuid)) == uuid:
                yield payload + len(uuid), size - len(uuid)


def _xmp_source(file) -> str | None:
    found = re.search(rb"<Iptc4xmpExt:DigitalSourceType>([^<]*)<", xmp_packet(file))
    return found and found[1].decode(errors="replace")
