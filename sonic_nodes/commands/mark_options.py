"""Options of several commands about what a video says of its origin, without their imports so that `sonic --help` is
fast. chosen_marks.py reads them."""

import argparse

from ..provenance.limits import CORNERS, DEFAULT_SIZE, MAX_SIZE, MIN_SIZE, SETTABLE


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
    add(
        "--consent",
        action="append",
        default=[],
        metavar="FILE|TEXT",
        help="who agrees, to what and until when: stored in the video, with its SHA-256; once for each person",
    )
    add("--label", metavar="TEXT", help='draw TEXT on the video, for example "AI-generated"')
    add("--label-corner", choices=CORNERS, help=f"where it stands ({CORNERS[0]})")
    add(
        "--label-size",
        type=float,
        metavar=f"{MIN_SIZE}-{MAX_SIZE}",
        help=f"height of its capital letters, as a share of the shorter side ({DEFAULT_SIZE})",
    )
    add("--label-always", action="store_true", help="show it all the time, not for the first two seconds alone")
    add("--label-font", metavar="FILE", help="draw it with this font file")
    add_signing(add)


def add_signing(add) -> None:
    """Options of a command that writes videos. add: add_argument of a parser or a group."""
    add("--sign", action="store_true", help="sign the video (C2PA), with --cert and --key; needs c2pa-python")
    add_credentials(add)


def add_credentials(add) -> None:
    add("--cert", metavar="PEM", help="certificate chain, the signer's own first ($SONIC_CERT)")
    add("--key", metavar="PEM", help="its private key ($SONIC_KEY); $SONIC_KEY_PASSPHRASE opens it")
