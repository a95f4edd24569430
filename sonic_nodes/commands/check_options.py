"""The options of `sonic check`, apart from its work so that `sonic --help` stays quick."""

from ..gate.thresholds import PROFILES


def add_parser(commands) -> None:
    check = commands.add_parser(
        "check",
        help="judge whether pictures are good enough to animate",
        description="Judge whether pictures are good enough to animate. Exit codes: 0 all fine; 1 some rejected; 3 some unreadable, "
        "none rejected; 2 some warned about, with --warnings-fail.",
    )
    check.add_argument("paths", nargs="+", metavar="PATH", help="picture, or folder of pictures (searched through)")
    check.add_argument(
        "--allow-url",
        action="store_true",
        help="a PATH may be an http or https address, public and below 64 MB; redirects are checked",
    )
    check.add_argument("--profile", choices=PROFILES, default="portrait", help="which limits apply (portrait)")
    check.add_argument(
        "--min-score",
        type=float,
        default=0.0,
        metavar="0-100",
        help="a picture with less has not passed: exit code 1 (0)",
    )
    check.add_argument("--jobs", type=int, default=1, metavar="N", help="pictures judged at a time (1)")
    check.add_argument("--warnings-fail", action="store_true", help="exit with 2 when a picture is warned about")
    check.add_argument(
        "--html", metavar="FILE", help="write a report to look at: one file with small pictures and heat maps, sortable"
    )
    check.add_argument(
        "--heat-map",
        metavar="OUT",
        help="write where traces of compression are, as PNG: a file's name for one picture, a folder for several",
    )
    check.add_argument(
        "--repair",
        metavar="OUT",
        help="write pictures without what JPEG compression did to them, as PNG: a file's name for one picture, a folder for "
        "several; those that are left as they are are not written",
    )
    form = check.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the verdicts as JSON, with every measurement")
    form.add_argument("--csv", action="store_true", help="print the verdicts as CSV")
