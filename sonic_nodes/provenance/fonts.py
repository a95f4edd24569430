"""A font that has all characters of a text: the one that ships, else one of the system's, else an error that names the
characters."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageFont

from ..errors import InputError, UsageError
from ..media.files import regular_file

SHIPPED = Path(__file__).resolve().parent.parent / "assets" / "label" / "label.otf"
REFERENCE = "H"  # its height is what labels are measured by
SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
# Parts of names of fonts with many characters, best first; tried before the others
PREFERRED = ("notosanscjk", "sourcehansans", "msyh", "pingfang", "hiragino", "wqy", "noto", "arial", "dejavu")
MAX_TRIED = 200
MAX_FILES = 5000  # that are listed
MAX_FILE_BYTES = 64 << 20
MAX_FONT_PX = 4000
TRIAL_PX = 32
UNDEFINED = "\U0010ffff"  # no character: drawn as what the font shows for those that it lacks


def font_of(text: str, letter_px: int, path: Path | None = None) -> ImageFont.FreeTypeFont:
    """The font in a size at which capital letters have at least `letter_px` pixels. path: use this file. UsageError
    where a character is in no font."""
    if path is not None:
        return _sized(_named(text, path), letter_px)
    for candidate in (SHIPPED, *system_fonts()):
        if not _lacks(text, candidate):
            return _sized(candidate, letter_px)
    missing = _lacks(text, SHIPPED) or text
    raise UsageError(
        f"Name a font that has the characters {missing!r} with --label-font, or write the label without them: no font "
        "of the system has them."
    )


def _named(text: str, path: Path) -> Path:
    name = repr(path.name)
    with regular_file(path, name):
        pass
    try:
        missing = _missing(text, _open(path, TRIAL_PX))
    except (OSError, ValueError) as error:
        raise InputError(f"Choose a font file, TrueType or OpenType: {name} is not one ({error}).") from None
    if missing:
        raise UsageError(f"Choose another --label-font: {name} lacks the characters {missing!r}.")
    return path


def system_fonts() -> Iterator[Path]:
    """Font files of the system, at most MAX_TRIED, likely ones first."""
    found = []
    for folder in _folders():
        for parent, _, names in os.walk(folder):
            found += [Path(parent, name) for name in names if name.lower().endswith(SUFFIXES)]
            if len(found) > MAX_FILES:
                break
    yield from sorted(found, key=_rank)[:MAX_TRIED]


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        windows = Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts")
        return [windows, *([Path(local, "Microsoft/Windows/Fonts")] if local else [])]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"]


def _rank(path: Path) -> tuple[int, str]:
    name = path.name.lower()
    return next((i for i, part in enumerate(PREFERRED) if part in name), len(PREFERRED)), str(path)


def _lacks(text: str, path: Path) -> str:
    """The characters that a font file lacks: all of them where it cannot be used."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return text
        return _missing(text, _open(path, TRIAL_PX))
    except (OSError, ValueError):
        return text


def _missing(text: str, font: ImageFont.FreeTypeFont) -> str:
    """The characters of a text, and of what it is measured by, that are drawn as none at all."""
    none = _drawn(font, UNDEFINED)
    return "".join(c for c in dict.fromkeys(text + REFERENCE) if not c.isspace() and _drawn(font, c) == none)


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> tuple:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _open(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(os.fspath(path), size_px, layout_engine=ImageFont.Layout.BASIC)


def ink_rows(font: ImageFont.FreeTypeFont) -> int:
    """The height of a capital letter as it is drawn: rows with a pixel that is nearly covered."""
    mask = font.getmask(REFERENCE)
    width, content = mask.size[0], bytes(mask)
    return sum(max(content[at : at + width]) >= 200 for at in range(0, len(content), max(1, width)))


def _sized(path: Path, letter_px: int) -> ImageFont.FreeTypeFont:
    """Raises UsageError for a font without letters."""
    size = letter_px
    while size <= MAX_FONT_PX:
        font = _open(path, size)
        if (height := ink_rows(font)) >= letter_px:
            return font
        size = max(size + 1, size * letter_px // max(1, height))
    raise UsageError(f"Choose another font: the letters of {path.name!r} are too small.")
