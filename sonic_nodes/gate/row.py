"""One source of `sonic check`, a file or an address, as far as its row in the results. Runs in worker processes."""
from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError, SonicError
from ..media.fetch import fetch, is_url
from ..media.files import whole_file
from ..media.image import read_picture
from .check import evidence_of_container, judged, read_bytes, unreadable
from .heat import png, thumbnails

NO_NETWORK = "Add --allow-url to fetch pictures from the network, or download this one yourself: it is an address, not a file."


@dataclass(frozen=True)
class Wanted:
    """What is asked of every source."""

    profile: str = "portrait"
    min_score: float = 0.0
    allow_url: bool = False
    thumbnails: bool = False


@dataclass(frozen=True)
class Row:
    verdict: dict
    thumbnail: bytes | None = None      # JPEG files
    heat: bytes | None = None


def row_of(source: str, wanted: Wanted, heat_file: str | None = None) -> Row:
    """The verdict on a source, with small pictures where they are wanted. heat_file: where its heat map goes as PNG.

    What is wrong with the source is a row; OutputError when heat_file cannot be written.
    """
    try:
        data = bytes_of(source, wanted.allow_url)
        picture = read_picture(data)
        verdict, cells = judged(picture, evidence_of_container(data), wanted.profile, wanted.min_score, source)
    except SonicError as error:
        return Row(unreadable(source, str(error)))
    if heat_file:
        with whole_file(heat_file) as file:
            file.write(png(picture, cells))
    return Row(verdict, *(thumbnails(picture, cells) if wanted.thumbnails else ()))


def bytes_of(source: str, allow_url: bool) -> bytes:
    if not is_url(source):
        return read_bytes(source)
    if not allow_url:
        raise InputError(NO_NETWORK)
    return fetch(source)
