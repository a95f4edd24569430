"""The detector: what a video file says about its origin, whoever made it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict

from ..errors import InstallError
from ..media.files import regular_file
from ..media.provenance import AIGC_TAG, IPTC_TERMS, consents_in, manifest_bytes, packet_of, record_of
from ..media.video_reader import open_video, video_stream
from ..watermark.marker import RECORD_KEY
from ..watermark.reader import find_watermarks
from . import signing, xmp
from .aigc import ASKED_FOR, IS_GENERATED, parsed

MAX_MANIFEST_BYTES = 64 << 20
SYNTHETIC = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "compositeSynthetic",
    "algorithmicMedia",
)


def inspected(path: str, anchors: str | None = None, check: Callable[[], object] = lambda: None) -> dict:
    """{"file", "ai_generated", "label", "digital_source_type", "aigc", "consent", "visible_label", "watermarks", "xmp",
    "signature"}.

    ai_generated: whether anything in the file says so; that nothing does is no proof of the contrary. label: what this
    program wrote, else None. aigc: {"mp4": fields, "xmp": fields, "agree", "missing"}, or None. watermarks: fields of
    watermark.reader.Watermark, and `labelled`, whether the label names its payload. xmp: "read", "absent", or why it
    was refused. signature: what signing.verified says, with the state "unverified" where c2pa-python is not installed,
    or None. anchors: a PEM file of certificates that are trusted. check() is called for each frame that is read; what
    it raises ends the work. InputError: the file is no video, or cannot be read.
    """
    name = repr(os.path.basename(path) or path)
    with regular_file(path, name) as file:
        with open_video(file, name) as container:
            video_stream(container, name)
            tags = dict(container.metadata)
        packet, signature = _packet(file), _signature(file, anchors)
    record = record_of(tags) or {}
    source = packet["digital_source_type"] or record.get("digital_source_type")
    found = {
        "file": os.path.abspath(path),
        "label": _label(record),
        "digital_source_type": source if isinstance(source, str) else None,
        "aigc": _aigc(tags, packet["aigc"]),
        "consent": [entry for entry in map(_consent, consents_in(record)) if entry],
        "visible_label": _visible(record.get("visible_label")),
        "watermarks": _watermarks(path, check, record.get(RECORD_KEY)),
        "xmp": packet["state"],
        "signature": signature,
    }
    return {"ai_generated": _says_generated(found)} | found


def _says_generated(found: dict) -> bool:
    signed = (found["signature"] or {}).get("digital_source_type")
    terms = [url.removeprefix(IPTC_TERMS) for url in (found["digital_source_type"], signed) if url]
    aigc = found["aigc"] or {}
    labels = [(aigc.get(place) or {}).get("Label") for place in ("mp4", "xmp")]
    return bool(found["label"] or found["watermarks"] or IS_GENERATED in labels or set(terms) & set(SYNTHETIC))


def _watermarks(path: str, check: Callable[[], object], labelled: object) -> list[dict]:
    return [asdict(each) | {"labelled": each.payload == labelled} for each in find_watermarks(path, check)]


def _label(record: dict) -> dict | None:
    return {key: record.get(key) for key in ("software", "version", "engine", "seed")} if record else None


def _packet(file) -> dict:
    nothing = {"digital_source_type": None, "creator_tool": None, "aigc": None}
    packet = packet_of(file)
    if not packet:
        return nothing | {"state": "absent"}
    try:
        return xmp.read(packet) | {"state": "read"}
    except xmp.RefusedPacket as error:
        return nothing | {"state": f"refused: {error}"}


def _aigc(tags: dict[str, str], of_xmp: dict | None) -> dict | None:
    text = next((value for key, value in tags.items() if key.upper() == AIGC_TAG), None)
    of_mp4 = parsed(text)
    if not (of_mp4 or of_xmp):
        return None
    present = of_mp4 or of_xmp
    missing = [name for name in ASKED_FOR if not present.get(name)]
    return {"mp4": of_mp4, "xmp": of_xmp, "agree": of_mp4 == of_xmp, "missing": missing}


def _consent(entry: dict) -> dict | None:
    text, digest, until = (entry.get(key) for key in ("text", "sha256", "until"))
    if not (isinstance(text, str) and isinstance(digest, str)):
        return None
    return {"text": text, "sha256": digest, "until": until if isinstance(until, str) else None}


def _visible(value) -> dict | None:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return None
    return {key: value.get(key) for key in ("text", "corner", "size", "always")}


def _signature(file, anchors: str | None) -> dict | None:
    size = manifest_bytes(file)
    if not size:
        return None
    if size > MAX_MANIFEST_BYTES:
        return {"state": "invalid", "problems": [f"the manifest has {size} bytes"]}
    try:
        return signing.verified(file, anchors)
    except InstallError as error:
        return {"state": "unverified", "problems": [str(error)]}
