"""What the options of mark_options.py stand for."""

from __future__ import annotations

import argparse

from ..provenance.aigc import fields_of
from ..provenance.marks import Marks


def marks_of(options: argparse.Namespace) -> Marks:
    """Of a parser with `add_marks`. UsageError, InputError."""
    return Marks(fields_of(options.aigc))
