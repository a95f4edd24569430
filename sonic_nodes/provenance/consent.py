"""The consent of the person who is shown or heard: who agrees, to what, until when. Kept in the file as the text and
its SHA-256, so that the paper it was copied from can be compared."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timezone

from ..errors import UsageError
from ..media.files import regular_file

MAX_BYTES = 16 << 10  # of a text
MAX_TEXTS = 8
FILE_NAME = re.compile(r"\S*\.[A-Za-z]{2,5}", re.ASCII)
UNTIL = re.compile(r"^[ \t]*(?:until|valid until|有效期至)[ \t]*[:：][ \t]*(\S+)[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Consent:
    text: str
    sha256: str  # of the file as it is, or of the text in UTF-8
    until: str | None  # YYYY-MM-DD, of a line "until: YYYY-MM-DD"

    def record(self) -> dict[str, str]:
        """For the comment of a video."""
        found = {"text": self.text, "sha256": self.sha256}
        return found | {"until": self.until} if self.until else found


def consents_of(values: Iterable[str], today: date | None = None) -> tuple[Consent, ...]:
    """values: each the name of a text file in UTF-8, or a text itself. today: in UTC where None. UsageError, also for a
    consent that has ended; InputError."""
    values = list(values)
    if len(values) > MAX_TEXTS:
        raise UsageError(f"Put the consents into fewer files: {len(values)} are named, and {MAX_TEXTS} are kept.")
    return tuple(_consent(*_read(value), today) for value in values)


def consents_of_texts(texts: Iterable[str], today: date | None = None) -> tuple[Consent, ...]:
    """Those of texts that are no names of files, such as a workflow's. UsageError."""
    return tuple(_consent("the text", text.encode(errors="surrogatepass"), today) for text in texts)


def _read(value: str) -> tuple[str, bytes]:
    """(name for errors, content)"""
    if not (os.path.exists(value) or FILE_NAME.fullmatch(value)):
        return "--consent", value.encode(errors="surrogatepass")
    name = repr(os.path.basename(value))
    with regular_file(value, name) as file:
        return name, file.read(MAX_BYTES + 1)


def _consent(name: str, content: bytes, today: date | None) -> Consent:
    if len(content) > MAX_BYTES:
        raise UsageError(f"Shorten the consent: {name} has more than {MAX_BYTES} bytes.")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError(f"Save the consent as plain text in UTF-8: {name} is something else.") from None
    if "\0" in text or not text:
        raise UsageError(f"Write in the consent who agrees, to what and until when: {name} holds no text.")
    return Consent(
        text, hashlib.sha256(content).hexdigest(), _end(text, name, today or datetime.now(timezone.utc).date())
    )


def _end(text: str, name: str, today: date) -> str | None:
    ends = []
    for written in UNTIL.findall(text):
        try:
            ends.append(date.fromisoformat(written))
        except ValueError:
            raise UsageError(f"Write the end of the consent as YYYY-MM-DD: in {name} it is {written[:40]!r}.") from None
    if not ends:
        return None
    if min(ends) < today:
        raise UsageError(f"Ask for a new consent: that of {name} ended on {min(ends)}.")
    return min(ends).isoformat()
