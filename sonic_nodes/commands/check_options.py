"""The options of `sonic check`, apart from the command so that `sonic --help` does not load it."""

from ..gate.thresholds import PROFILES


def add_parser(commands) -> None:
    check = commands.add_parser(
        "check",
        help="judge whether pictures are good enough to animate",
        description="Judge whether pictures are good enough to animate. Exit codes: 0 all fine; 1 some rejected; 3 "
        "some unreadable, none rejected; 2 some with warnings and --warnings-fail.",
    )
    check.add_argument("paths", nargs="+", metavar="PATH", help="picture, or folder of pictures (searched recursively)")
    check.add_argument(
        "--allow-url",
        action="store_true",
        help="accept public http and https addresses as PATH, up to 64 MB; redirects are checked",
    )
    check.add_argument("--profile", choices=PROFILES, default="portrait", help="set of limits (portrait)")
    check.add_argument(
        "--min-score", type=float, default=0.0, metavar="0-100", help="lowest score that passes; exit code 1 below (0)"
    )
    check.add_argument("--jobs", type=int, default=1, metavar="N", help="pictures judged in parallel (1)")
    check.add_argument("--warnings-fail", action="store_true", help="exit with 2 when a picture has a warning")
    check.add_argument(
        "--html", metavar="FILE", help="write a sortable report with thumbnails and heat maps, in one file"
    )
    check.add_argument(
        "--heat-map",
        metavar="OUT",
        help="write heat maps of the compression traces as PNG: a file for one picture, a folder for several",
    )
    check.add_argument(
        "--repair",
        metavar="OUT",
        help="write the pictures without JPEG artefacts as PNG: a file for one picture, a folder for several; "
        "unchanged pictures are not written",
    )
    form = check.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the verdicts as JSON, with every measurement")
    form.add_argument("--csv", action="store_true", help="print the verdicts as CSV")
