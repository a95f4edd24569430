"""The options of `sonic inspect`, without its imports so that `sonic --help` is fast."""


def add_parser(commands) -> None:
    inspect = commands.add_parser(
        "inspect",
        help="say what a video says about its origin: labels and consent",
        description="Read the labels and the consent of any video. That none is found is no proof that a video was not "
        "generated.",
    )
    inspect.add_argument("file", metavar="FILE", help="a video")
    inspect.add_argument("--json", action="store_true", help="print the findings as JSON")
