"""The command `sonic`.

Exit codes: 0 done; 2 wrong options; 3 a picture or recording that cannot be used; 4 no face; 5 out of memory or disk
space; 6 the output cannot be written; 7 the installation is incomplete; 130 stopped with Ctrl-C, 129 and 143 by SIGHUP
and SIGTERM (128 plus the signal's number); 141 standard output was closed (SIGPIPE).

Unless the code is 0, no new output file is left, with two exceptions: `check` keeps the pictures that it has finished,
and a video stays when it was complete and only the report could not be printed.
"""

import argparse
import json
import sys

from .. import __version__, interrupts
from ..errors import OutputError, ResourceError, SonicError
from ..media import temporary
from . import streams
from .check_options import add_parser as add_check
from .models_options import add_parser as add_models
from .render_options import add_parser as add_render
from .smooth_options import add_parser as add_smooth
from .sync_options import add_parser as add_sync

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell reports it
STOPPED, STOPPED_CHECK = "Stopped; nothing was written.", "Stopped; outputs of pictures that were finished stay."


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
    """Runs a command and returns its exit code. Without `argv` the process ends with it: sys.argv is read."""
    temporary.forget_swept()
    with interrupts.stop_signals(temporary.remove_all, ignore_after=argv is None):
        try:
            return outcome(argv)
        except KeyboardInterrupt as error:
            is_check = (sys.argv[1:] if argv is None else argv)[:1] == ["check"]
            return print_error(STOPPED_CHECK if is_check else STOPPED, getattr(error, "exit_code", EXIT_INTERRUPTED))
        finally:
            temporary.remove_all()
            streams.abandon()


def outcome(argv) -> int:
    """The exit code; errors are printed. Raises KeyboardInterrupt, and SystemExit after usage or help."""
    try:
        interrupts.accept()
        streams.prepare()
        return printed(argv)
    except SonicError as error:
        return print_error(error, error.exit_code)
    except BrokenPipeError:
        return EXIT_BROKEN_PIPE
    except MemoryError as error:
        remedy = "Close other programs or lower --min-resolution"
        return print_error(f"{remedy}: memory ran out. {error}", ResourceError.exit_code)
    except OSError as error:  # each file's errors have been translated
        return print_error(streams.unprintable(error), OutputError.exit_code)
    finally:
        interrupts.complete()


def printed(argv) -> int:
    """Runs the command. What it prints has reached its place afterwards."""
    try:
        code = run(build_parser().parse_args(argv))
    except SystemExit:
        streams.finish()
        raise
    streams.finish()
    return code


def print_error(message, code):
    streams.say(f"sonic: {message}")
    return code


if __name__ == "__main__":
    sys.exit(main())
