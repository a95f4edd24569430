"""Signs a video that is complete, and the copies that `sonic sync` and `sonic smooth` make of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from ..errors import InputError, UsageError
from ..media.boxes import is_mp4
from ..media.files import atomic_video, copy_video, regular_file
from ..media.provenance import manifest_bytes, read_back
from .signing import INVALID, Signer, sign, verified

ENDS = " The signature of the video (C2PA) ends here: the copy is not signed. Add --sign to sign it."
STAYS = " The file is signed already and was not changed: its signature stays."
KEPT_IN = " The copy is signed; the signature of the source is kept in it."
BROKEN_IN = " The copy is signed; the signature of the source was broken before, and the copy says so."


def sign_file(path: str, output: str, signer: Signer) -> dict:
    """Writes the signed video to `output`, which may be `path`, atomically. A video that is signed becomes a part of
    the new signature. {"output", "kept"}; kept: whether there was a signature before. InputError, OutputError."""
    name = repr(os.path.basename(path))
    with regular_file(path, name) as file:
        _check_mp4(file, name)
        was_signed = manifest_bytes(file) > 0
        if was_signed and verified(file)["state"] == INVALID:
            raise InputError(f"Start from the video as it was signed: {name} was changed after its signature.")
    source_type = _source_type(path)
    if source_type is None and not was_signed:
        raise InputError(f"Choose a video that was made by this program: {name} does not say by which engine.")
    with atomic_video(output) as temporary:
        with regular_file(path, name) as file, open(temporary, "wb") as target:  # Windows replaces no file that is open
            shutil.copyfileobj(file, target, 1 << 20)
        sign(temporary, signer, os.path.basename(output), source_type, path if was_signed else None)
    return {"output": os.path.abspath(output), "kept": was_signed}


def _source_type(path: str) -> str | None:
    """IPTC's URL in the label of this program; None in other videos."""
    try:
        found = read_back(path).get("digital_source_type")
    except InputError:
        return None
    return found if isinstance(found, str) else None


def copied(file, source: str, output: str, signer: Signer | None) -> str:
    """Writes an open file as it is to `output`, with its signature. signer: signs a file that has none, with `source`,
    its path, as what it comes from. Returns a sentence about the signature, or nothing."""
    is_signed = manifest_bytes(file) > 0
    file.seek(0)
    if signer is None or is_signed:
        copy_video(file, output)
        return STAYS if signer else ""
    with atomic_video(output) as temporary:
        with open(temporary, "wb") as target:
            shutil.copyfileobj(file, target, 1 << 20)
        finisher(signer, output, parent=source)(temporary)
    return ""


def finisher(signer: Signer | None, output: str, source_type: str | None = None, parent: str | None = None) -> Callable:
    """For VideoWriter's `finish`: signs the complete file; does nothing without a signer. source_type: IPTC's URL, the
    file's own where None."""

    def finish(temporary: str) -> None:
        if signer is not None:
            sign(temporary, signer, os.path.basename(output), source_type or _source_type(temporary), parent)

    return finish


def ending_note(file, name: str, signer: Signer | None) -> str:
    """What becomes of the signature of an open file in a copy that is changed; nothing where it has none. Called before
    the work: UsageError for a file that no signature can name as its source."""
    if signer is not None:
        _check_mp4(file, name)
    if not manifest_bytes(file):
        return ""
    if signer is None:
        return ENDS
    return BROKEN_IN if verified(file)["state"] == INVALID else KEPT_IN


def _check_mp4(file, name: str) -> None:
    if not is_mp4(file):
        raise UsageError(f"Convert {name} to MP4 before it is signed: a signature names its source, which must be MP4.")
