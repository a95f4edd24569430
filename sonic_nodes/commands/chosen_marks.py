"""What the options of mark_options.py stand for."""

from __future__ import annotations

import argparse
import os

from ..errors import UsageError
from ..provenance.aigc import fields_of
from ..provenance.caption import Caption
from ..provenance.consent import consents_of
from ..provenance.marks import Marks
from ..provenance.signing import Signer, signer_of


def marks_of(options: argparse.Namespace) -> Marks:
    """Of a parser with `add_marks`. UsageError, InputError."""
    return Marks(fields_of(options.aigc), caption_of(options), consents_of(options.consent))


def caption_of(options: argparse.Namespace) -> Caption | None:
    given = {
        "corner": options.label_corner,
        "size": options.label_size,
        "always": options.label_always or None,
        "font": options.label_font,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if options.label is not None:
        return Caption(options.label, **given)
    if given:
        raise UsageError(f"Add --label TEXT, or leave out --label-{next(iter(given))}: there is no label to draw.")
    return None


def signer_of_options(options: argparse.Namespace) -> Signer | None:
    """Of a parser with `add_signing`; None without --sign. UsageError, InputError, InstallError."""
    if options.sign:
        return needed_signer(options)
    if options.cert or options.key:
        raise UsageError("Add --sign, or leave out --cert and --key: without it nothing is signed.")
    return None


def needed_signer(options: argparse.Namespace) -> Signer:
    certificate = options.cert or os.environ.get("SONIC_CERT")
    key = options.key or os.environ.get("SONIC_KEY")
    if not certificate or not key:
        raise UsageError("Name the certificate chain with --cert and its private key with --key: both are needed.")
    return signer_of(certificate, key)
