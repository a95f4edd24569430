"""The result of `sonic check` for one source, a file or an address. Runs in worker processes."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from ..errors import InputError, SonicError, is_out_of_memory, shortage
from ..media.fetch import fetch, is_url
from ..media.files import atomic_write
from ..media.image import display_name, read_picture_and_alpha
from .check import evidence_of_container, judged, read_bytes, unreadable
from .heat import png, thumbnails
from .repair import repair_picture

NO_NETWORK = "Add --allow-url to fetch pictures from the network, or download this one: it is an address, not a file."


@dataclass(frozen=True)
class Request:
    """What is the same for all sources."""

    profile: str = "portrait"
    min_score: float = 0.0
    allow_url: bool = False
    thumbnails: bool = False


@dataclass(frozen=True)
class Outputs:
    """Paths of the PNG files about one source."""

    heat_map: str | None = None
    repaired: str | None = None


@dataclass(frozen=True)
class Result:
    verdict: dict
    thumbnail: bytes | None = None  # a JPEG file
    heat: bytes | None = None  # the heat map's thumbnail, a JPEG file
    shortage: str | None = None  # memory ran out: what the user can do


def out_of_memory(source: str, text: str) -> Result:
    """Of a source that was not judged for want of memory: that is not the picture's fault."""
    return Result(unreadable(source, text), shortage=text)


def check_source(source: str, request: Request, outputs: Outputs = Outputs()) -> Result:
    """The verdict on a source, with thumbnails if requested; writes its outputs.

    A source that cannot be read is a result too. Raises OutputError when an output cannot be written.
    """
    try:
        data = read_source(source, request.allow_url)
        picture, alpha = read_picture_and_alpha(data, name=display_name(source))
        container = evidence_of_container(data)
        data = data if outputs.repaired else b""  # up to 4 bytes a pixel, while the picture is judged
        verdict, tiles = judged(picture, container, request.profile, request.min_score, source, alpha=alpha)
    except SonicError as error:
        if is_out_of_memory(error):
            return out_of_memory(source, str(shortage(error)))
        return Result(unreadable(source, str(error)))
    if outputs.heat_map:
        with atomic_write(outputs.heat_map) as file:
            file.write(png(picture, tiles))
    if outputs.repaired:
        verdict |= repair_source(data, verdict, request, outputs.repaired)
    return Result(verdict, *(thumbnails(picture, tiles) if request.thumbnails else ()))


def repair_source(data: bytes, verdict: dict, request: Request, out: str) -> dict:
    """The verdict's keys about the repair. An unchanged picture is not written."""
    picture, repair = repair_picture(data, verdict, request.profile, request.min_score, "find")
    if repair.repaired:
        with atomic_write(out) as file:
            Image.fromarray(picture).save(file, "PNG")
    return {
        "repaired": repair.repaired,
        "repair": {
            "file": out if repair.repaired else None,
            "reason": repair.reason,
            "quality": repair.quality,
            "score_before": repair.score_before,
            "score_after": repair.score_after,
        },
    }


def read_source(source: str, allow_url: bool) -> bytes:
    if not is_url(source):
        return read_bytes(source)
    if not allow_url:
        raise InputError(NO_NETWORK)
    return fetch(source)
