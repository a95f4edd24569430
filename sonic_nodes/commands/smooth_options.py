"""The options of `sonic smooth`, apart from its work so that `sonic --help` stays quick."""


def add_parser(commands) -> None:
    smooth = commands.add_parser(
        "smooth",
        help="take flicker, shake and noise out of a video",
        description="Take flicker, shake and frame noise out of VIDEO. What is not found for certain stays as it is. The sound is copied, "
        "or becomes AAC where MP4 cannot hold it.",
    )
    smooth.add_argument("video", metavar="VIDEO", help="any video that PyAV opens")
    smooth.add_argument(
        "-o", "--output", required=True, metavar="OUT.mp4", help="the video to write (H.264, 8 bits a colour)"
    )
    smooth.add_argument(
        "--strength", type=float, default=0.5, metavar="0-1", help="how much; 0 changes nothing, 0.5 is the usual (0.5)"
    )
    smooth.add_argument(
        "--no-protect-mouth", action="store_true", help="let the noise filter touch lips, eyes and faces, too"
    )
    smooth.add_argument(
        "--lossless", action="store_true", help="encode without loss (large file, not every player opens it)"
    )
    smooth.add_argument("--json", action="store_true", help="print what was done as JSON on standard output")
