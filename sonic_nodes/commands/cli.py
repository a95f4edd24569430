"""The command `sonic`.

Exit codes: 0 done; 2 wrong options; 3 a picture or recording that cannot be used; 4 no face; 5 out of memory or disk
space, or a graphics card that failed; 6 the output cannot be written; 7 the installation is incomplete; 130 stopped
with Ctrl-C, 129 and 143 by SIGHUP and SIGTERM (128 plus the signal's number), 149 by Ctrl-Break or a closed console of
Windows; 141 standard output was closed (SIGPIPE).

Unless the code is 0, no new output file is left, with five exceptions: `check` keeps the pictures that it has finished,
`batch` its finished videos with their journal, `models get` what it has downloaded, a video stays when it was complete
and only the report could not be printed, and an output that was complete but whose target another program has open
stays under the name that the error tells.
"""

import argparse
import sys

from .. import __version__, interrupts
from ..errors import OutputError, ResourceError, SonicError, is_address_space_limited, is_out_of_memory, shortage
from ..media import temporary
from ..media.system_errors import is_broken_pipe
from ..printable import printable
from . import streams, supervisor
from .batch_options import add_parser as add_batch
from .check_options import add_parser as add_check
from .help_text import formatter_of
from .inspect_options import add_inspect, add_sign
from .models_options import add_parser as add_models
from .render_options import add_parser as add_render
from .smooth_options import add_parser as add_smooth
from .sync_options import add_parser as add_sync

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell reports it
STOPPED, STOPPED_CHECK = "Stopped; nothing was written.", "Stopped; outputs of pictures that were finished stay."
STOPPED_GET = "Stopped; what was downloaded is kept, and the same command goes on from there."
STOPPED_BATCH = "Stopped; finished videos stay, and the same command goes on from there."


class Parser(argparse.ArgumentParser):
    """Also of the subcommands. argparse drops the error when help cannot be written, and shows arguments as they are: a
    shell's `*` can pass file names that begin with a hyphen."""

    def __init__(self, *, formatter_class=argparse.HelpFormatter, **options):
        super().__init__(formatter_class=formatter_of(formatter_class), **options)

    def error(self, message: str):
        super().error(printable(message))

    def _print_message(self, message, file=None):
        if file is sys.stdout:
            file.write(message)
        elif message:
            streams.say(message.removesuffix("\n"))


def build_parser():
    parser = Parser(prog="sonic", description="One portrait and one recording of speech in, a talking video out.")
    parser.add_argument("--version", action="version", version=f"sonic {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_render(commands)
    add_batch(commands)
    doctor = commands.add_parser("doctor", help="report what works on this machine, and the cause where it does not")
    doctor.add_argument("--file", metavar="VIDEO", help="say instead what the label of a video says: how it was made")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_check(commands)
    add_sync(commands)
    add_smooth(commands)
    add_inspect(commands)
    add_sign(commands)
    add_models(commands)
    return parser


def run(arguments):
    return runner(arguments.command)(arguments)


def runner(name: str):
    """The function that runs a command. A signal waits until its libraries are loaded, a second or two: an exception in
    the middle of PyTorch's start would abort the process."""
    with interrupts.deferred():
        if name == "models":
            from .models import run as chosen
        elif name == "check":
            from .check import run as chosen
        elif name == "sync":
            from .sync import run as chosen
        elif name == "smooth":
            from .smooth import run as chosen
        elif name == "inspect":
            from .inspect import run as chosen
        elif name == "sign":
            from .sign import run as chosen
        elif name == "batch":
            from .batch_start import run as chosen
        elif name == "doctor":
            from .doctor import run as chosen
        else:
            from .render import run as chosen
    return chosen


def main(argv=None):
    """Runs a command and returns its exit code. Without `argv` the process ends with it: sys.argv is read."""
    if argv is None and supervisor.is_needed():
        return supervisor.supervised(lambda: command(None))
    return command(argv)


def command(argv):
    temporary.forget_swept()
    with interrupts.stop_signals(temporary.remove_all, ignore_after=argv is None):
        try:
            return outcome(argv)
        except KeyboardInterrupt as error:
            stopped = stopped_message(sys.argv[1:] if argv is None else argv)
            return print_error(stopped, getattr(error, "exit_code", EXIT_INTERRUPTED))
        finally:
            temporary.remove_all()
            streams.abandon()


def stopped_message(arguments) -> str:
    if arguments[:1] == ["check"]:
        return STOPPED_CHECK
    if arguments[:1] == ["batch"]:
        return STOPPED_BATCH
    return STOPPED_GET if arguments[:1] == ["models"] and "get" in arguments else STOPPED


def outcome(argv) -> int:
    """The exit code; errors are printed. Raises KeyboardInterrupt, and SystemExit after usage or help."""
    try:
        interrupts.accept()
        streams.prepare()
        return printed(argv)
    except SonicError as error:
        return print_error(error, error.exit_code) if not is_out_of_memory(error) else print_shortage(error)
    except Exception as error:
        if is_broken_pipe(error):
            return EXIT_BROKEN_PIPE
        if is_out_of_memory(error):
            return print_shortage(error)
        if is_address_space_limited():  # libraries report that in many ways, and nothing else is unexpected
            return print_shortage(MemoryError(f"{type(error).__name__}: {error}"))
        if isinstance(error, OSError):  # each file's errors have been translated
            return print_error(streams.unprintable(error, interrupts.is_complete()), OutputError.exit_code)
        raise
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


def print_shortage(error: Exception) -> int:
    return print_error(shortage(error), ResourceError.exit_code)


def print_error(message, code):
    streams.say(f"sonic: {message}")
    return code


if __name__ == "__main__":
    sys.exit(main())
