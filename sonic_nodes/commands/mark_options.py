"""Options of several commands about what a video says of its origin, without their imports so that `sonic --help` is
fast. chosen_marks.py reads them."""

import argparse

from ..provenance.limits import SETTABLE


def add_marks(parser: argparse.ArgumentParser) -> None:
    """Options of a command that makes videos."""
    add = parser.add_argument_group("provenance").add_argument
    add(
        "--aigc",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help=f"a field of the AIGC label (GB 45438-2025): {', '.join(SETTABLE)}; without it that of $SONIC_AIGC",
    )
