"""The command `sonic`.

Exit codes: 0 done; 2 wrong options; 3 a picture or recording that cannot be used; 4 no face; 5 out of memory or disk space;
6 the output cannot be written; 7 the installation is incomplete; 130 stopped with Ctrl-C. Nothing is left behind unless 0.
"""
import argparse
import json
import sys

from . import __version__
from .errors import ResourceError, SonicError
from .gate.options import add_parser as add_check
from .weights.options import add_parser as add_models

EXIT_INTERRUPTED = 130


def build_parser():
    parser = argparse.ArgumentParser(prog="sonic", description="One portrait and one recording of speech in, a talking video out.")
    parser.add_argument("--version", action="version", version=f"sonic {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_render(commands)
    doctor = commands.add_parser("doctor", help="say what works on this machine, and why not where it does not")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_check(commands)
    add_models(commands)
    return parser


def add_render(commands):
    render = commands.add_parser(
        "render", help="make PORTRAIT speak SPEECH",
        description="Make PORTRAIT speak SPEECH. Ask the person shown for consent; the file says that it is AI-generated.",
    )
    render.add_argument("portrait", metavar="PORTRAIT", help="picture with a face, any format Pillow opens")
    render.add_argument("speech", metavar="SPEECH", help="recording, any sound or video file that PyAV opens")
    render.add_argument("-o", "--output", required=True, metavar="OUT.mp4", help="the video to write (H.264 and AAC, 25 frames a second)")
    render.add_argument("--engine", choices=["draft"], default="draft", help="draft: built in, needs no weights (default)")
    render.add_argument("--min-resolution", type=int, default=512, metavar="N", help="shorter side in pixels, 128 to 2048 (512)")
    render.add_argument("--opening", type=unit_range(0, 2), default=1.0, metavar="0-2", help="how far the mouth opens; 1 is natural")
    render.add_argument("--sway", type=unit_range(0, 1), default=1.0, metavar="0-1", help="head motion; 0 keeps the head still")
    render.add_argument("--blink", type=unit_range(0, 1), default=1.0, metavar="0-1", help="how often the eyes blink; 0 never")
    render.add_argument("--seed", type=int, default=0, metavar="N", help="decides blinks and sway; the same seed gives the same video")
    render.add_argument("--face", type=int, default=0, metavar="N", help="which face, 0 is the largest")
    render.add_argument("--face-mask", metavar="MASK", help="picture of PORTRAIT's size, white where the face is: for statues and drawings")
    render.add_argument("--expand-ratio", type=unit_range(0, 1), default=0.18, metavar="0-1", help="room around the face (0.18)")
    render.add_argument("--paste-back", action="store_true", help="put the speaking face back into the whole picture")
    render.add_argument("--frames", metavar="DIR", help="also write every frame as PNG into DIR")
    render.add_argument("--lossless", action="store_true", help="encode without loss (large file, not every player opens it)")
    render.add_argument("--json", action="store_true", help="print what was done as JSON on standard output")


def unit_range(low, high):
    """An argparse type: a number from `low` to `high`."""

    def number(text):
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"choose a number from {low} to {high}, it is {text}")
        return value

    return number


def run(arguments):
    if arguments.command == "models":
        from .weights.command import run as run_models

        return run_models(arguments)
    if arguments.command == "check":
        from .gate.command import run as run_check

        return run_check(arguments)
    if arguments.command == "doctor":
        from .doctor import report

        return report(as_json=arguments.json)
    from .render import render_file

    result = render_file(arguments)
    if arguments.json:
        print(json.dumps(result))
    else:
        print(result["output"])
    return 0


def main(argv=None):
    arguments = build_parser().parse_args(argv)
    try:
        return run(arguments)
    except SonicError as error:
        return complain(error, error.exit_code)
    except MemoryError as error:
        return complain(f"Close other programs or choose a smaller --min-resolution: memory ran out. {error}", ResourceError.exit_code)
    except KeyboardInterrupt:
        return complain("Stopped; nothing was written.", EXIT_INTERRUPTED)


def complain(message, code):
    print(f"sonic: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
