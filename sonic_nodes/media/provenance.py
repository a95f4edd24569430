"""The label in every finished video: AI-generated, by which engine, version and seed. Always written.

It is in two places, for different readers:
- MP4 tags (title, comment, description, encoding tool). The comment is JSON, for programs.
- an XMP packet with `Iptc4xmpExt:DigitalSourceType`, where platforms look for generated media (IPTC Video Metadata
  Hub); in MP4 a top-level `uuid` box (XMP Specification Part 3, ISO 16684, "Storage in files", MPEG-4).

The terms come from IPTC's Digital Source Type vocabulary, https://cv.iptc.org/newscodes/digitalsourcetype/:
- draft: `compositeSynthetic`, a composite with at least one synthetic element. The photograph and the voice are
  recorded, the movement and the inside of the mouth are computed; no generative model takes part.
- sonic: `trainedAlgorithmicMedia`, created by a model derived from sampled content: the diffusion model makes every
  frame.
"""

from __future__ import annotations

import json
import os
import re
from xml.sax.saxutils import escape

import av

from .. import __version__
from ..errors import InputError
from . import boxes
from .tags import ANY_ENCODING

SOFTWARE = "sonic-talking-portrait"
SOURCE_TYPES = {"draft": "compositeSynthetic", "sonic": "trainedAlgorithmicMedia"}
IPTC_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

_IPTC_NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{namespace}" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/">
   <Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
   <xmp:CreatorTool>{tool}</xmp:CreatorTool>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def metadata(engine: str, seed: int | None, version: str = __version__, **details) -> dict[str, str]:
    """MP4 tags for VideoWriter. `engine` is "draft" or "sonic"; `details` (JSON values) are kept in the comment."""
    source = IPTC_TERMS + SOURCE_TYPES[engine]
    record = {"ai_generated": True, "engine": engine, "software": SOFTWARE, "version": version, "seed": seed}
    record |= {"digital_source_type": source} | details
    return {
        "title": "AI-generated talking portrait",
        "comment": json.dumps(record, ensure_ascii=False),
        "description": "This video is AI-generated: a portrait was animated from a recording of speech by "
        f"{SOFTWARE} {version}, engine {engine}, seed {seed}.",
        "encoding_tool": f"{SOFTWARE} {version}",
    }


def xmp_box(tags: dict[str, str]) -> bytes:
    """The MP4 box with the XMP packet for `tags`; empty when `tags` are not from `metadata`."""
    try:
        source = json.loads(tags.get("comment", ""))["digital_source_type"]
    except (ValueError, KeyError, TypeError):
        return b""
    packet = _XMP.format(
        namespace=_IPTC_NAMESPACE,
        source=escape(source),
        tool=escape(tags.get("encoding_tool", SOFTWARE)),
        description=escape(tags.get("description", "")),
    )
    return boxes.box(b"uuid", XMP_UUID + packet.encode())


def read_back(path: str | os.PathLike) -> dict:
    """The arguments of `metadata`, plus `tags` (as stored) and `xmp_digital_source_type`. InputError for other
    files."""
    name = repr(os.path.basename(os.fspath(path)))
    try:
        with open(path, "rb") as file, av.open(file, mode="r", **ANY_ENCODING) as container:
            tags = dict(container.metadata)
            xmp = _xmp_source(file)
        record = json.loads(tags["comment"])
        if record["ai_generated"] is not True:
            raise KeyError("ai_generated")
    except OSError as error:
        raise InputError(f"Choose a video that was made by this program: {name} cannot be read ({error}).") from None
    except (av.error.FFmpegError, ValueError, KeyError, TypeError):
        raise InputError(f"Choose a video that was made by this program: {name} has no label of it.") from None
    return record | {"tags": tags, "xmp_digital_source_type": xmp}


def _xmp_source(file) -> str | None:
    for kind, payload, size in boxes.walk(file):
        if kind != b"uuid" or size > 1 << 20:
            continue
        file.seek(payload)
        content = file.read(size)
        if content[:16] == XMP_UUID:
            found = re.search(rb"<Iptc4xmpExt:DigitalSourceType>([^<]*)<", content)
            return found and found[1].decode(errors="replace")
    return None
