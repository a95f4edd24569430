"""One source of `sonic check`, a file or an address, as far as its row in the results. Runs in worker processes."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from ..errors import InputError, SonicError
from ..media.fetch import fetch, is_url
from ..media.files import whole_file
from ..media.image import read_picture
from .check import evidence_of_container, judged, read_bytes, unreadable
from .heat import png, thumbnails
from .repair import repair_picture

NO_NETWORK = (
    "Add --allow-url to fetch pictures from the network, or download this one yourself: it is an address, not a file."
)


@dataclass(frozen=True)
class Wanted:
    """What is asked of every source."""

    profile: str = "portrait"
    min_score: float = 0.0
    allow_url: bool = False
    thumbnails: bool = False


@dataclass(frozen=True)
class Outputs:
    """Where files about one source go, as PNG."""

    heat_map: str | None = None
    repaired: str | None = None


@dataclass(frozen=True)
class Row:
    verdict: dict
    thumbnail: bytes | None = None  # JPEG files
    heat: bytes | None = None


def row_of(source: str, wanted: Wanted, outputs: Outputs = Outputs()) -> Row:
    """The verdict on a source, with small pictures where they are wanted.

    What is wrong with the source is a row; OutputError when one of its outputs cannot be written.
    """
    try:
        data = bytes_of(source, wanted.allow_url)
        picture = read_picture(data)
        verdict, cells = judged(picture, evidence_of_container(data), wanted.profile, wanted.min_score, source)
    except SonicError as error:
        return Row(unreadable(source, str(error)))
    if outputs.heat_map:
        with whole_file(outputs.heat_map) as file:
            file.write(png(picture, cells))
    if outputs.repaired:
        verdict |= repaired(data, verdict, wanted, outputs.repaired)
    return Row(verdict, *(thumbnails(picture, cells) if wanted.thumbnails else ()))


def repaired(data: bytes, verdict: dict, wanted: Wanted, out: str) -> dict:
    """What the row says of the repair. Pictures that stay as they are are not written."""
    picture, done = repair_picture(data, verdict, wanted.profile, wanted.min_score, "find")
    if done.repaired:
        with whole_file(out) as file:
            Image.fromarray(picture).save(file, "PNG")
    return {
        "repaired": done.repaired,
        "repair": {
            "file": out if done.repaired else None,
            "reason": done.reason,
            "quality": done.quality,
            "score_before": done.score_before,
            "score_after": done.score_after,
        },
    }


def bytes_of(source: str, allow_url: bool) -> bytes:
    if not is_url(source):
        return read_bytes(source)
    if not allow_url:
        raise InputError(NO_NETWORK)
    return fetch(source)
