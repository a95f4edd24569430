"""The options of `sonic inspect` and `sonic sign`, without their imports so that `sonic --help` is fast."""

from .mark_options import add_credentials


def add_inspect(commands) -> None:
    inspect = commands.add_parser(
        "inspect",
        help="say what a video says about its origin: labels, consent, signature",
        description="Read the labels, the consent and the signature (C2PA) of any video. That none is found is no "
        "proof that a video was not generated.",
    )
    inspect.add_argument("file", metavar="FILE", help="a video")
    inspect.add_argument("--json", action="store_true", help="print the findings as JSON")
    inspect.add_argument("--trust", metavar="PEM", help="certificates of authorities whose signatures are trusted")


def add_sign(commands) -> None:
    sign = commands.add_parser(
        "sign",
        help="sign a video (C2PA), as the last step",
        description="Sign a video of this program, or one that is signed already. Any later change, also of its "
        "metadata, ends the signature. Needs c2pa-python; works without a network.",
    )
    sign.add_argument("file", metavar="FILE", help="an MP4")
    sign.add_argument("-o", "--output", metavar="OUT.mp4", help="write the signed video there, not over FILE")
    add_credentials(sign.add_argument)
    sign.add_argument("--json", action="store_true", help="print a report as JSON on standard output")
