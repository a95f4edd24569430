"""The options of `sonic smooth`, without its imports so that `sonic --help` is fast."""

from .mark_options import add_signing


def add_parser(commands) -> None:
    smooth = commands.add_parser(
        "smooth",
        help="remove flicker, shake and noise from a video",
        description="Remove flicker, shake and frame noise from VIDEO where they are found with confidence. The "
        "sound is copied, or converted to AAC where MP4 cannot hold it.",
    )
    smooth.add_argument("video", metavar="VIDEO", help="any video that PyAV opens")
    smooth.add_argument(
        "-o", "--output", required=True, metavar="OUT.mp4", help="the video to write (H.264, 8 bits per channel)"
    )
    smooth.add_argument(
        "--strength",
        type=float,
        default=0.5,
        metavar="0-1",
        help="0 changes nothing; above 0.5 noise is filtered more (0.5)",
    )
    smooth.add_argument(
        "--no-protect-mouth", action="store_true", help="apply the noise filter to lips, eyes and faces, too"
    )
    smooth.add_argument(
        "--lossless", action="store_true", help="encode losslessly (large file, not every player opens it)"
    )
    smooth.add_argument("--json", action="store_true", help="print the report as JSON on standard output")
    add_signing(smooth.add_argument)
