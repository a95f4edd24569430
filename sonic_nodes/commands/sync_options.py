"""The options of `sonic sync`, without its imports so that `sonic --help` is fast."""

from .mark_options import add_signing


def add_parser(commands) -> None:
    sync = commands.add_parser(
        "sync",
        help="measure the offset between a clip's sound and its mouth, and correct it",
        description="Measure the offset between the sound of a video and the mouth in its frames; positive means "
        "that the sound is late. Nothing is changed where the measurement is not confident.",
    )
    sync.add_argument("video", metavar="VIDEO", help="a clip of one person speaking")
    sync.add_argument("--json", action="store_true", help="print {offset_ms, confidence, reason} as JSON")
    sync.add_argument(
        "--fix", metavar="OUT.mp4", help="write a copy with the sound shifted; the video track is copied unchanged"
    )
    sync.add_argument(
        "--max-offset-ms",
        type=float,
        default=200,
        metavar="0-600",
        help="report larger shifts without applying them (200)",
    )
    add_signing(sync.add_argument)
