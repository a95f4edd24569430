"""The command `sonic`.

Exit codes: 0 done; 2 wrong options; 3 a picture or recording that cannot be used; 4 no face; 5 out of memory or disk
space; 6 the output cannot be written; 7 the installation is incomplete; 130 stopped with Ctrl-C; 141 standard output
was closed (SIGPIPE). Unless the code is 0, no output file is left behind.
"""

import argparse
import json
import os
import sys

from .. import __version__
from ..errors import ResourceError, SonicError
from .check_options import add_parser as add_check
from .models_options import add_parser as add_models
from .render_options import add_parser as add_render
from .smooth_options import add_parser as add_smooth
from .sync_options import add_parser as add_sync

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell reports it


def build_parser():
    parser = argparse.ArgumentParser(
        prog="sonic", description="One portrait and one recording of speech in, a talking video out."
    )
    parser.add_argument("--version", action="version", version=f"sonic {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_render(commands)
    doctor = commands.add_parser("doctor", help="report what works on this machine, and the cause where it does not")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_check(commands)
    add_sync(commands)
    add_smooth(commands)
    add_models(commands)
    return parser


def run(arguments):
    if arguments.command == "models":
        from .models import run as run_models

        return run_models(arguments)
    if arguments.command == "check":
        from .check import run as run_check

        return run_check(arguments)
    if arguments.command == "sync":
        from .sync import run as run_sync

        return run_sync(arguments)
    if arguments.command == "smooth":
        from .smooth import run as run_smooth

        return run_smooth(arguments)
    if arguments.command == "doctor":
        from .doctor import report

        return report(as_json=arguments.json)
    from .render import render_file

    result = render_file(arguments)
    if arguments.json:
        print(json.dumps(result))
    elif "output" in result:
        print(result["output"])
    return 0


def main(argv=None):
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold characters that a terminal cannot show
    try:
        return run(build_parser().parse_args(argv))
    except SonicError as error:
        return print_error(error, error.exit_code)
    except MemoryError as error:
        remedy = "Close other programs or lower --min-resolution"
        return print_error(f"{remedy}: memory ran out. {error}", ResourceError.exit_code)
    except KeyboardInterrupt:
        return print_error("Stopped; nothing was written.", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it at exit
        return EXIT_BROKEN_PIPE


def print_error(message, code):
    print(f"sonic: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
