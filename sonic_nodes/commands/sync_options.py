"""The options of `sonic sync`, apart from its work so that `sonic --help` stays quick."""


def add_parser(commands) -> None:
    sync = commands.add_parser(
        "sync",
        help="measure how far a clip's sound is from its mouth, and mend it",
        description="Measure how far the sound of a video is from the mouth in its pictures; a positive offset means that the sound comes "
        "after the mouth. Nothing is changed where the measurement is not sure.",
    )
    sync.add_argument("video", metavar="VIDEO", help="a clip of one person speaking")
    sync.add_argument("--json", action="store_true", help="print {offset_ms, confidence, reason} as JSON")
    sync.add_argument(
        "--fix", metavar="OUT.mp4", help="write a copy with the sound moved; the pictures are copied as they are"
    )
    sync.add_argument(
        "--max-offset-ms", type=float, default=200, metavar="0-600", help="a larger move is told, not made (200)"
    )
