"""What a run adds to the label of its video: AIGC fields, consents, a visible label."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from .. import __version__
from ..media.provenance import as_pasted, consents_in, record_of, with_record
from .aigc import fields_of, tag_of
from .caption import Caption
from .consent import Consent

ID_CHARS = 32


@dataclass(frozen=True)
class Marks:
    """aigc: fields that the studio has set. caption: the visible label, drawn by CaptionDrawer. consents: of
    those who are shown or heard."""

    aigc: Mapping[str, str] = field(default_factory=dict)
    caption: Caption | None = None
    consents: tuple[Consent, ...] = ()

    @classmethod
    def of_environment(cls) -> Marks:
        """Those that are set for all runs. UsageError where the variable cannot be used."""
        return cls(fields_of())

    def record(self) -> dict[str, object]:
        """For the comment of a video."""
        label = {"visible_label": self.caption.record()} if self.caption else {}
        return label | ({"consent": [consent.record() for consent in self.consents]} if self.consents else {})


def marked(tags: dict[str, str], data: Mapping, marks: Marks | None = None, pasted: bool = False) -> dict[str, str]:
    """The tags of `metadata` with the marks of a clip that is made of `data`, SONIC_PREDATA. marks: those of the
    environment where None. pasted: its frames are put back into the portrait."""
    marks = Marks.of_environment() if marks is None else marks
    tags = as_pasted(tags) if pasted else tags
    return with_record(tags, **marks.record()) | tag_of(marks.aigc, produce_id(tags, data))


def added(tags: dict[str, str], marks: Marks) -> dict[str, str]:
    """The tags of a video that exists, with caption and consents beside those that it has. Tags of others are returned
    unchanged."""
    record, entries = record_of(tags), marks.record()
    if "consent" in entries:
        entries["consent"] = consents_in(record) + entries["consent"]
    return with_record(tags, **entries)


def produce_id(tags: Mapping[str, str], data: Mapping) -> str:
    """A number for the content: a digest of portrait, crop, recording, engine, seed and settings, so that the same work
    made twice has the same one."""
    digest = hashlib.sha256(__version__.encode())
    for array in (data["source"], data["audio"]):
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    digest.update(repr(tuple(map(int, data["crop_xyxy"]))).encode())
    digest.update(json.dumps(record_of(tags), sort_keys=True).encode())
    return digest.hexdigest()[:ID_CHARS]
